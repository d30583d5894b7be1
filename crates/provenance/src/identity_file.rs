//! The user's own key and its certificates, in one file: whoever reads it reads both or neither.
//!
//! It gets its name whole and only where nothing has that name yet (a rename that does not replace), so that of several
//! processes that make one at the same time, one wins and the others read the winner's. No lock is needed, and none can
//! be left behind.
//!
//! Earlier versions kept two files, `signing-key.pem` and `signing-certificates.pem`, and could mix those of two
//! processes. A pair that belongs together is moved into the one file. A pair that does not is set aside under another
//! name and replaced, with a warning: nothing that it signed was ever valid, so nothing is lost, and asking the user to
//! clean up after that defect would stop every animation until then. Everything else that cannot be used (expired,
//! damaged, edited) is an error: it is not replaced behind the user's back.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use c2pa::BoxedSigner;

use crate::Error;
use crate::fault::Fault;
use crate::pair::Pair;

/// The one file: the key first, then its certificates.
pub(crate) const IDENTITY: &str = "signing-identity.pem";
/// Of earlier versions.
const OLD_CERTIFICATES: &str = "signing-certificates.pem";
const OLD_KEY: &str = "signing-key.pem";
/// What a pair that does not belong together is called from then on.
const SET_ASIDE: &str = "mismatched";

/// Ends what the key's part of the file is.
const END_OF_KEY: &str = "-----END PRIVATE KEY-----\n";
/// No key and chain is larger.
const LARGEST: u64 = 1 << 20;

/// Where the user's key is.
pub(crate) enum Kept {
    /// In the folder.
    Stored { signer: BoxedSigner, warning: Option<String> },
    /// Nowhere, for this reason: nothing can be written there.
    Unwritable(String),
}

/// The two files of earlier versions.
enum Old {
    Absent,
    Matches(BoxedSigner),
    Mismatched,
}

/// The key in `folder`, which is made where there is none.
pub(crate) fn read_or_make(folder: &Path) -> Result<Kept, Error> {
    let path = folder.join(IDENTITY);
    if let Some(pair) = read(&path)? {
        return stored(&path, &pair, None);
    }
    let (pair, old) = match old_pair(folder)? {
        None => (Pair::make()?, Old::Absent),
        Some(pair) => match pair.signer() {
            Ok(signer) => (pair, Old::Matches(signer)),
            Err(Fault::Mismatch) => (Pair::make()?, Old::Mismatched),
            Err(fault) => return Err(fault.in_files(&folder.join(OLD_CERTIFICATES), &folder.join(OLD_KEY))),
        },
    };
    if let Err(cause) = fs::create_dir_all(folder).and_then(|()| store(&path, &pair))
        // Otherwise another process was faster. Its key is the user's.
        && cause.kind() != ErrorKind::AlreadyExists
    {
        return Ok(match old {
            Old::Matches(signer) => Kept::Stored { signer, warning: None },
            Old::Absent | Old::Mismatched => {
                Kept::Unwritable(format!("{}: cannot be written ({cause})", folder.display()))
            }
        });
    }
    let mismatched = matches!(old, Old::Mismatched);
    let pair = read(&path)?.ok_or_else(|| Error::Credentials {
        path: path.clone(),
        what: "has vanished while it was made; start again".to_owned(),
    })?;
    let warning = mismatched.then(|| {
        format!(
            "{}: the signing key and its certificate did not belong together, so that what they signed verifies as changed; they are set aside as *.{SET_ASIDE}, and a new key was made",
            folder.join(OLD_KEY).display()
        )
    });
    // A file without its counterpart is no pair: it is left alone.
    if !matches!(old, Old::Absent) {
        clear_old_pair(folder, mismatched);
    }
    stored(&path, &pair, warning)
}

fn stored(path: &Path, pair: &Pair, warning: Option<String>) -> Result<Kept, Error> {
    let signer = pair.signer().map_err(|fault| fault.in_files(path, path))?;
    Ok(Kept::Stored { signer, warning })
}

/// The pair in the file at `path`; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<Pair>, Error> {
    // Where the folder may not even be looked into, nothing can be written either, which is found out next.
    if !path.exists() {
        return Ok(None);
    }
    if fs::metadata(path).map_err(Error::read(path))?.len() > LARGEST {
        let what = "is too large for a signing key; remove it to have a new one made".to_owned();
        return Err(Error::Credentials { path: path.to_owned(), what });
    }
    let text = fs::read_to_string(path).map_err(Error::read(path))?.replace("\r\n", "\n");
    let Some((key, chain)) = text.split_once(END_OF_KEY) else {
        let what =
            "holds no private key followed by its certificates; remove it to have new ones made".to_owned();
        return Err(Error::Credentials { path: path.to_owned(), what });
    };
    Ok(Some(Pair { chain: chain.to_owned(), key: format!("{key}{END_OF_KEY}") }))
}

/// Writes a file that only its owner may read, whole, and only where there is none.
fn store(path: &Path, pair: &Pair) -> io::Result<()> {
    let folder: PathBuf = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    // Temporary files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pair.key.as_bytes())?;
    file.write_all(pair.chain.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// The two files of earlier versions. One without the other has never signed anything and counts as none.
fn old_pair(folder: &Path) -> Result<Option<Pair>, Error> {
    let (certificates, key) = (folder.join(OLD_CERTIFICATES), folder.join(OLD_KEY));
    if !certificates.exists() || !key.exists() {
        return Ok(None);
    }
    let read = |path: &Path| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // Another process has just moved it into the one file.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::read(path)(error)),
    };
    Ok(match (read(&certificates)?, read(&key)?) {
        (Some(chain), Some(key)) => Some(Pair { chain, key }),
        _ => None,
    })
}

/// Removes the two files, whose content is in the one file now, or gives them other names. Failures do no harm: where
/// the one file is, nobody looks for the two.
fn clear_old_pair(folder: &Path, keep: bool) {
    for name in [OLD_KEY, OLD_CERTIFICATES] {
        let path = folder.join(name);
        let _ = if keep {
            fs::rename(&path, folder.join(format!("{name}.{SET_ASIDE}")))
        } else {
            fs::remove_file(&path)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    fn content(folder: &Path) -> String {
        fs::read_to_string(folder.join(IDENTITY)).expect("a key")
    }

    #[test]
    fn the_first_use_makes_a_private_key_and_the_second_finds_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config");
        assert_eq!(Identity::in_folder(&config).expect("an identity").warning, None);
        let first = content(&config);
        Identity::in_folder(&config).expect("an identity");
        assert_eq!(content(&config), first);
        assert_eq!(fs::read_dir(&config).expect("a folder").count(), 1, "nothing else is left there");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(config.join(IDENTITY)).expect("a key").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn threads_that_start_at_once_in_a_new_home_get_one_key() {
        for _ in 0..8 {
            let folder = tempfile::tempdir().expect("a folder");
            let config = folder.path().join("config");
            let start = std::sync::Barrier::new(12);
            std::thread::scope(|scope| {
                for _ in 0..12 {
                    scope.spawn(|| {
                        start.wait();
                        let identity = Identity::in_folder(&config).expect("an identity");
                        assert_eq!(identity.warning, None);
                    });
                }
            });
            assert_eq!(fs::read_dir(&config).expect("a folder").count(), 1);
        }
    }

    #[test]
    fn two_files_of_an_older_version_become_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = Pair::make().expect("a pair");
        fs::write(folder.path().join(OLD_KEY), &pair.key).expect("written");
        fs::write(folder.path().join(OLD_CERTIFICATES), &pair.chain).expect("written");
        assert_eq!(Identity::in_folder(folder.path()).expect("an identity").warning, None);
        assert_eq!(content(folder.path()), pair.key + &pair.chain, "the key stays the user's");
        assert!(!folder.path().join(OLD_KEY).exists() && !folder.path().join(OLD_CERTIFICATES).exists());
    }

    #[test]
    fn a_key_that_is_not_the_certificates_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (Pair::make().expect("a pair"), Pair::make().expect("a pair"));
        fs::write(folder.path().join(OLD_KEY), &one.key).expect("written");
        fs::write(folder.path().join(OLD_CERTIFICATES), &other.chain).expect("written");
        let warning = Identity::in_folder(folder.path()).expect("an identity").warning.expect("a warning");
        assert!(
            warning.contains("signing-key.pem: the signing key and its certificate did not"),
            "{warning}"
        );
        let aside = fs::read_to_string(folder.path().join("signing-key.pem.mismatched")).expect("set aside");
        assert_eq!(aside, one.key);
        assert_eq!(Identity::in_folder(folder.path()).expect("an identity").warning, None, "said once");
    }

    #[test]
    fn one_file_that_cannot_be_used_is_an_error_and_stays() {
        let (one, other) = (Pair::make().expect("a pair"), Pair::make().expect("a pair"));
        for (text, expected) in [
            (String::new(), "holds no private key"),
            (one.key.clone(), "holds no certificates"),
            (one.key.clone() + &other.chain, "do not belong together"),
            ("-----END PRIVATE KEY-----\n".to_owned() + &one.chain, "is no private key"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(IDENTITY), &text).expect("written");
            let error = Identity::in_folder(folder.path()).expect_err(expected).to_string();
            assert!(error.contains(expected) && error.contains(IDENTITY), "{error}");
            assert_eq!(content(folder.path()), text);
        }
    }

    #[test]
    fn where_nothing_can_be_written_the_key_lives_for_one_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let in_the_way = folder.path().join("file");
        fs::write(&in_the_way, "").expect("written");
        let identity = Identity::in_folder(&in_the_way.join("config")).expect("an identity");
        assert!(identity.warning.expect("a warning").contains("this run only"));
    }
}
