//! The studio, as a program on loopback sees it: the real binary, real photos, and requests of all kinds.

mod program;
mod served;

use std::fs;

use serde_json::{Value, json};
use served::{Answer, JSON, OWN, Studio};

#[test]
fn a_photo_becomes_a_marked_film_and_nothing_stays_behind() {
    let studio = Studio::open("");
    let photo = studio.mona();
    assert!(studio.get(&format!("/api/photos/{photo}/image")).body.starts_with(&[0xff, 0xd8]));

    let wish = json!({
        "portrait": { "photo": photo, "face": 0 },
        "drive": { "motion": "smile" },
        "options": { "size": 256, "crop": true, "mouth": 1.2, "subject": "artwork", "label": true, "language": "it" },
        "at": 1.5,
    });
    let preview = studio.post("/api/preview", &wish);
    assert_eq!(preview.status, 200, "{}", String::from_utf8_lossy(&preview.body));
    let verified = studio.request("POST /api/verify?name=still.jpg", OWN, &preview.body).expect(200);
    assert_eq!(
        (&verified["verdict"], &verified["synthetic"]),
        (&json!("marked"), &json!(true)),
        "{verified}"
    );
    assert!(verified["sentence"].as_str().is_some_and(|line| line.starts_with("still.jpg: ")));

    let mut wish = wish;
    wish.as_object_mut().expect("an object").remove("at");
    let job = studio.post("/api/animate", &wish).expect(202)["job"].as_str().expect("a job").to_owned();
    let events = studio.get(&format!("/api/jobs/{job}/events"));
    let events = String::from_utf8_lossy(&events.body).into_owned();
    assert!(events.contains("data: {") && events.contains("\"done\""), "{events}");
    let view = studio.wait(&job);
    assert_eq!(view["state"], "done", "{view}");
    assert_eq!(view["result"]["file"], "smile.mp4");
    assert_eq!((&view["result"]["width"], &view["result"]["height"]), (&json!(256), &json!(256)));

    let film = studio.get(&format!("/api/jobs/{job}/file"));
    assert_eq!(film.status, 200);
    assert_eq!(film.body.get(4..8), Some(&b"ftyp"[..]));
    let part = studio.request(&format!("GET /api/jobs/{job}/file"), "Range: bytes=4-7\r\n", b"");
    assert_eq!((part.status, &part.body[..]), (206, &b"ftyp"[..]));
    let credentials = studio.get(&format!("/api/jobs/{job}/credentials")).expect(200);
    assert_eq!(credentials["verdict"], "marked", "{credentials}");
    assert_eq!(credentials["manifest"]["status"], "valid", "{credentials}");
    assert_eq!(credentials["manifest"]["subject"], "artwork", "{credentials}");

    assert_eq!(studio.delete(&format!("/api/photos/{photo}")).status, 204);
    assert_eq!(studio.get(&format!("/api/photos/{photo}/image")).status, 404);
    assert_eq!(studio.post("/api/animate", &wish).status, 404, "what was deleted is gone");
    assert_eq!(studio.delete(&format!("/api/jobs/{job}")).status, 204);
    assert_eq!(studio.get(&format!("/api/jobs/{job}/file")).status, 404);
    let metrics = String::from_utf8(studio.get("/metrics").body).expect("text");
    assert!(metrics.contains("gioconda_jobs_total{end=\"done\"} 1"), "{metrics}");
    assert!(studio.close().is_empty(), "temporary files are removed");
}

#[test]
fn an_avatar_is_learned_used_and_deleted() {
    let studio = Studio::open("");
    let photos = [studio.mona(), studio.mona()];
    let wish = json!({ "photos": photos, "name": "Lisa", "subject": "artwork" });
    let job = studio.post("/api/learn", &wish).expect(202)["job"].as_str().expect("a job").to_owned();
    let view = studio.wait(&job);
    assert_eq!(view["state"], "done", "{view}");
    let avatar = view["result"]["avatar"].as_str().expect("an avatar").to_owned();
    let listed = studio.get("/api/avatars").expect(200);
    assert_eq!((&listed[0]["name"], &listed[0]["photos"]), (&json!("Lisa"), &json!(2)), "{listed}");
    let strip = studio.get(&format!("/api/avatars/{avatar}/strip"));
    let verified = studio.request("POST /api/verify", OWN, &strip.body).expect(200);
    assert_eq!(verified["verdict"], "marked", "{verified}");
    assert_eq!(studio.get(&format!("/api/avatars/{avatar}/image")).status, 200);
    let wish = json!({ "portrait": { "avatar": avatar }, "drive": { "motion": "nod" }, "options": { "size": 256, "crop": true } });
    assert_eq!(studio.post("/api/preview", &wish).status, 200);
    assert_eq!(studio.scratch.names("avatars").len(), 3);
    assert_eq!(studio.delete(&format!("/api/avatars/{avatar}")).status, 204);
    assert!(studio.scratch.names("avatars").is_empty(), "deleted means deleted");
    assert_eq!(studio.post("/api/preview", &wish).status, 404);
}

#[test]
fn jobs_are_stopped_and_resumed() {
    let studio = Studio::open("");
    let wish = |size: u32| json!({ "portrait": { "figure": "mona-lisa" }, "drive": { "motion": "talk" }, "options": { "size": size } });
    let job = |size| {
        studio.post("/api/animate", &wish(size)).expect(202)["job"].as_str().expect("a job").to_owned()
    };
    let (running, queued) = (job(1024), job(256));
    assert_eq!(studio.get(&format!("/api/jobs/{running}/file")).status, 409);
    for job in [&queued, &running] {
        assert_eq!(studio.delete(&format!("/api/jobs/{job}")).status, 204);
        assert_eq!(studio.wait(job)["state"], "stopped");
    }
    assert_eq!(studio.post(&format!("/api/jobs/{queued}/resume"), &json!({})).status, 202);
    assert_eq!(studio.wait(&queued)["state"], "done");
    assert_eq!(studio.post(&format!("/api/jobs/{queued}/resume"), &json!({})).status, 409);
    let listed = studio.get("/api/jobs").expect(200);
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&json!(queued), &json!(running)));
    assert!(studio.close().is_empty());
}

#[test]
fn a_network_is_tuned_on_from_where_it_was_stopped() {
    let studio = Studio::open("");
    let wish = json!({ "photos": [studio.mona()], "name": "Lisa", "subject": "artwork", "steps": 2000 });
    let job = studio.post("/api/learn", &wish).expect(202)["job"].as_str().expect("a job").to_owned();
    let path = format!("/api/jobs/{job}");
    studio.follow(&job, |view| view["done"].as_u64() >= Some(2));
    assert_eq!(studio.delete(&path).status, 204);
    let stopped = studio.wait(&job)["done"].as_u64();
    assert_eq!(studio.post(&format!("{path}/resume"), &json!({})).status, 202);
    let resumed = studio.follow(&job, |view| view["frames_per_second"].is_number())["done"].as_u64();
    assert!(resumed > stopped, "{resumed:?} after {stopped:?}");
    let steps_since = resumed.zip(stopped).map(|(resumed, stopped)| resumed - stopped);
    assert!(
        steps_since < Some(10),
        "the first steps that are told of are those after the stop: {steps_since:?}"
    );
    assert_eq!(studio.delete(&path).status, 204);
    assert_eq!(studio.wait(&job)["state"], "stopped");
    assert!(studio.close().is_empty());
}

#[test]
fn whatever_may_not_be_done_is_refused_with_one_line() {
    let studio = Studio::open("");
    let portrait = json!({ "figure": "mona-lisa" });
    let wish = |drive: Value, options: Value| {
        json!({ "portrait": portrait, "drive": drive, "options": options }).to_string()
    };
    let smile = || json!({ "motion": "smile" });
    let cases = [
        (
            "POST /api/animate",
            "Content-Type: application/json\r\n",
            wish(smile(), json!({})),
            403,
            "X-Gioconda",
        ),
        ("GET /api/info", "Host: evil.example\r\n", String::new(), 403, "names of this machine"),
        ("GET /api/info", "Origin: http://evil.example\r\n", String::new(), 403, "other pages"),
        ("POST /api/animate", OWN, wish(smile(), json!({})), 415, "Content-Type"),
        ("POST /api/animate", JSON, "{".to_owned(), 400, "JSON"),
        ("POST /api/animate", JSON, wish(json!({ "motion": "dance" }), json!({})), 404, "no such motion"),
        (
            "POST /api/animate",
            JSON,
            wish(json!({ "clip": "../../etc/passwd" }), json!({})),
            404,
            "no such clip",
        ),
        ("POST /api/animate", JSON, wish(smile(), json!({ "mouth": 9.0 })), 422, "mouth goes from 0 to 2"),
        ("POST /api/animate", JSON, wish(smile(), json!({ "size": 9 })), 422, "size goes from 256"),
        ("POST /api/animate", JSON, wish(smile(), json!({ "format": "exe" })), 422, "unknown variant"),
        ("POST /api/animate", JSON, " ".repeat(70_000), 413, "length limit"),
        ("POST /api/photos", OWN, String::new(), 400, "no body"),
        ("POST /api/photos", OWN, "no picture".to_owned(), 422, "the photo: is not a picture"),
        ("POST /api/clips", OWN, "no clip".to_owned(), 422, "the clip: "),
        ("POST /api/verify", OWN, "nothing".to_owned(), 422, "the file: "),
        ("POST /api/learn", JSON, json!({ "photos": [], "name": "x" }).to_string(), 422, "1 to 32 photos"),
        ("GET /api/figures?language=xx", "", String::new(), 400, "unknown variant"),
        ("GET /api/figures/..%2f..%2fCargo/image", "", String::new(), 404, "no such figure"),
        ("GET /api/avatars/..%2fmona/image", "", String::new(), 404, "no such avatar"),
        ("GET /assets/..%2f..%2fCargo.toml", "", String::new(), 404, "no such asset"),
        ("GET /api/nothing", "", String::new(), 404, "nothing at this address"),
        ("PUT /api/info", OWN, String::new(), 405, "does not take this method"),
    ];
    for (line, headers, body, status, said) in cases {
        let answer = studio.request(line, headers, body.as_bytes());
        let error = answer.expect(status)["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(said) && !error.contains('\n'), "{line}: {error}");
        assert!(!error.contains("temporary"), "{line} tells no paths: {error}");
    }
    let page = studio.get("/");
    assert_eq!(page.status, 200);
    for part in ["default-src 'none'", "frame-ancestors 'none'", "nosniff", "cache-control: no-cache"] {
        assert!(page.head.contains(part), "{part}: {}", page.head);
    }
    let text = String::from_utf8(page.body).expect("a page");
    let script = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let script = studio.get(script);
    assert!(script.status == 200 && script.head.contains("immutable"), "{}", script.head);
    assert_eq!(studio.get("/no/such/page").status, 404);
    let document = studio.get("/api/openapi.json").expect(200);
    assert!(document["paths"]["/api/animate"]["post"].is_object());
}

#[test]
fn beyond_this_machine_a_token_is_asked_for() {
    let studio = Studio::open("--token open-sesame");
    assert!(studio.address.ends_with("/?token=open-sesame"), "{}", studio.address);
    assert_eq!(studio.get("/api/info").status, 403);
    assert_eq!(studio.get("/?token=open-barley").status, 403);
    assert_eq!(studio.get("/healthz").status, 200);
    let bearer = studio.request("GET /api/info", "Authorization: Bearer open-sesame\r\n", b"");
    assert_eq!(bearer.status, 200);
    let welcome = studio.get("/live?token=open-sesame");
    assert_eq!(welcome.status, 303);
    for part in ["location: /live", "httponly", "samesite=strict"] {
        assert!(welcome.head.contains(part), "{}", welcome.head);
    }
    let cookie = "Cookie: theme=dark; gioconda-studio=open-sesame\r\n";
    assert_eq!(studio.request("GET /api/info", cookie, b"").status, 200);
}

#[test]
fn a_thousand_malformed_requests_do_no_harm() {
    let studio = Studio::open("");
    let photo = fs::read(studio.scratch.path("mona.jpg")).expect("the Mona Lisa");
    let lines = [
        "GET /api/info",
        "POST /api/animate",
        "POST /api/preview",
        "POST /api/learn",
        "POST /api/photos",
        "POST /api/clips",
        "POST /api/verify",
        "DELETE /api/jobs/x",
        "GET /api/jobs/x/events",
        "GET /api/live",
        "GET /api/call/room",
        "BREW /",
        "GET /%ff%00",
        "GET /api/figures?language=%00",
    ];
    let body = json!({ "portrait": { "figure": "mona-lisa" }, "drive": { "motion": "smile" }, "options": { "size": 256 } });
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..1000 {
        let line = lines[random(lines.len())];
        let headers =
            [JSON, OWN, "", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n"];
        let content = match random(3) {
            0 => body.to_string().into_bytes(),
            1 => photo[..random(2000)].to_vec(),
            _ => (0..random(200)).map(|_| random(256) as u8).collect(),
        };
        let length = [content.len(), 0, 7, usize::MAX][random(4)];
        let header = headers[random(headers.len())];
        let mut request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n",
            studio.host
        )
        .into_bytes();
        request.extend(content);
        for _ in 0..random(6) {
            let place = random(request.len());
            request[place] = random(256) as u8;
        }
        let answer = Answer::parse(&studio.raw(&request, true));
        assert_ne!(answer.status, 500, "{}\n{}", String::from_utf8_lossy(&request), answer.head);
    }
    assert_eq!(studio.get("/healthz").status, 200);
    let metrics = String::from_utf8(studio.get("/metrics").body).expect("text");
    assert!(metrics.contains("gioconda_errors_total 0"), "{metrics}");
    assert!(studio.close().is_empty());
}
