//! The files of a data folder and their names.
//!
//! A folder is made of *parts*, one for each job of a job array (usually one). A part has
//!
//! | file | what |
//! |---|---|
//! | `part-0001-of-0001.jsonl` | the index: a header, a line per clip, a last line that says the part is complete ([`crate::journal`]) |
//! | `part-0001-of-0001.frames` | 256 bytes per frame ([`crate::descriptor`]), video after video |
//! | `part-0001-of-0001-00000.tar`, `-00001.tar`, ... | the shards: crops and landmarks ([`crate::shard`]) |
//!
//! A part's files never refer to those of another, so jobs on several machines need nothing but the folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Version of everything that is written into a data folder. It rises with every change that older readers would
/// misunderstand.
pub const FORMAT_VERSION: u32 = 1;

/// Which part of the clips a job prepares: `I/N`, I from 1 to N.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    index: u32,
    count: u32,
}

/// More parts than any job array has; the names have four digits.
const MAX_PARTS: u32 = 9999;

impl Part {
    /// All clips.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Part `index` (from 1) of `count`, at most 9999; `None` when there is no such part.
    pub fn new(index: u32, count: u32) -> Option<Self> {
        ((1..=count).contains(&index) && count <= MAX_PARTS).then_some(Self { index, count })
    }

    /// The number of this part, from 1.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether `clip`, a path inside the source with `/` between folders, belongs to this part. Depends on nothing
    /// but the clip's name, so that clips added later do not move between parts.
    pub(crate) fn has(self, clip: &str) -> bool {
        crc32fast::hash(clip.as_bytes()) % self.count == self.index - 1
    }

    fn stem(self) -> String {
        format!("part-{:04}-of-{:04}", self.index, self.count)
    }

    pub(crate) fn journal(self, folder: &Path) -> PathBuf {
        folder.join(self.stem() + ".jsonl")
    }

    pub(crate) fn frames(self, folder: &Path) -> PathBuf {
        folder.join(self.stem() + ".frames")
    }

    pub(crate) fn shard(self, folder: &Path, number: u32) -> PathBuf {
        folder.join(format!("{}-{number:05}.tar", self.stem()))
    }

    /// The number of the shard of this part that is called `name`.
    pub(crate) fn shard_number(self, name: &str) -> Option<u32> {
        name.strip_prefix(&self.stem())?.strip_prefix('-')?.strip_suffix(".tar")?.parse().ok()
    }

    /// The part whose index is called `name`.
    pub(crate) fn of_journal(name: &str) -> Option<Self> {
        let (index, count) = name.strip_prefix("part-")?.strip_suffix(".jsonl")?.split_once("-of-")?;
        Self::new(index.parse().ok()?, count.parse().ok()?)
    }
}

impl Default for Part {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        numbers
            .and_then(|(index, count)| Self::new(index, count))
            .ok_or_else(|| format!("not I/N with I from 1 to N and N at most {MAX_PARTS}, such as 3/8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_from_text_and_from_file_names() {
        for (text, part) in [("1/1", Some(Part::WHOLE)), ("3/8", Part::new(3, 8)), ("8/8", Part::new(8, 8))] {
            assert_eq!(text.parse().ok(), part);
            let part = part.unwrap();
            let journal = part.journal(Path::new(""));
            assert_eq!(Part::of_journal(journal.to_str().unwrap()), Some(part));
            let shard = part.shard(Path::new(""), 42);
            assert_eq!(part.shard_number(shard.to_str().unwrap()), Some(42));
        }
        for text in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/10000", "a/b"] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_clip_belongs_to_exactly_one_part() {
        for clip in ["a.mp4", "id1/x/1.mp4", "id1/x/2.mp4", "Ünï/é.webm"] {
            let owners = (1..=7).filter(|&index| Part::new(index, 7).unwrap().has(clip)).count();
            assert_eq!(owners, 1, "{clip}");
            assert!(Part::WHOLE.has(clip));
        }
    }
}
