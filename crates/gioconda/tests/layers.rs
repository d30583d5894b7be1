//! Which crate may use which: the table of ARCHITECTURE.md against the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates of the workspace by name, without the prefix, and which of the others each uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn short(name: &str) -> String {
    name.strip_prefix("gioconda-").unwrap_or(name).to_owned()
}

/// As the manifests say; what only tests, examples and benchmarks use does not count.
fn manifests() -> Uses {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let crates: BTreeSet<String> = packages.iter().map(name).collect();
    let uses = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let used = dependencies.iter().filter(|dependency| dependency["kind"] != "dev").map(name);
        used.filter(|name| crates.contains(name)).map(|name| short(&name)).collect()
    };
    packages.iter().map(|package| (short(&name(package)), uses(package))).collect()
}

/// A row of the table.
struct Row {
    name: String,
    uses: BTreeSet<String>,
    lines: usize,
}

/// The rows of the table, from the top floor to the ground.
fn table() -> Vec<Row> {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let rows = page.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [name, _, uses, lines] = cells[..] else { panic!("four cells: {line}") };
        let name = names(name).pop().unwrap_or_else(|| panic!("a crate's name: {line}"));
        let lines = lines.trim().parse().unwrap_or_else(|_| panic!("a number of lines: {line}"));
        Row { name, uses: names(uses).into_iter().collect(), lines }
    };
    rows.take_while(|line| line.starts_with('|')).map(row).collect()
}

#[test]
fn the_table_of_crates_is_true() {
    let table: Uses = table().into_iter().map(|row| (row.name, row.uses)).collect();
    let manifests = manifests();
    assert!(table.keys().eq(manifests.keys()), "ARCHITECTURE.md lists {:?}", table.keys());
    for (name, uses) in manifests {
        assert_eq!(
            uses, table[&name],
            "{name}: on the left what its Cargo.toml uses, on the right ARCHITECTURE.md"
        );
    }
}

#[test]
fn nothing_points_upward() {
    let mut above = BTreeSet::new();
    for Row { name, uses, .. } in table() {
        above.insert(name.clone());
        let upward: Vec<_> = uses.intersection(&above).collect();
        assert!(upward.is_empty(), "{name} uses {upward:?}, which stand no lower in ARCHITECTURE.md");
    }
}

/// Lines of Rust in a folder and those below it.
fn lines(folder: &Path) -> usize {
    let entries =
        std::fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| {
            if path.is_dir() {
                return lines(&path);
            }
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if is_rust { std::fs::read_to_string(&path).expect("sources").lines().count() } else { 0 }
        })
        .sum()
}

/// The table is not to be touched for every line: it must be right within a fifth.
#[test]
fn the_table_tells_the_size_of_crates() {
    for Row { name, lines: told, .. } in table() {
        let found = lines(&root().join("crates").join(&name).join("src"));
        assert!(
            found.abs_diff(told) * 5 <= found,
            "{name}: {told} lines in ARCHITECTURE.md, {found} in its src"
        );
    }
}
