//! The kinds of outputs: the one table of what each is called and what it can carry.

use std::path::Path;

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// H.264 in mp4, with sound.
    Mp4,
    /// Animated GIF.
    Gif,
    /// Animated WebP, with alpha where frames have any.
    WebP,
    /// Animated PNG, without loss, with alpha where frames have any.
    Apng,
    /// VP9 in `WebM`, with alpha where frames have any; made by the `ffmpeg` program.
    WebM,
    /// ProRes 4444 in mov, with alpha where frames have any; made by the `ffmpeg` program.
    Mov,
    /// A folder of PNGs, with alpha where frames have any.
    Pictures,
}

impl OutputFormat {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Mp4, Self::Gif, Self::WebP, Self::Apng, Self::WebM, Self::Mov, Self::Pictures];

    /// What the name of an output means: its extension in any case; a folder of PNGs where there is none, or where the name
    /// ends in a slash. `None` for extensions of no format.
    pub fn of(path: &Path) -> Option<Self> {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Some(Self::Pictures);
        }
        let Some(extension) = path.extension() else { return Some(Self::Pictures) };
        let extension = extension.to_string_lossy().to_lowercase();
        Self::ALL.into_iter().find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// The extension that outputs are named with; a folder has none.
    pub fn extension(self) -> Option<&'static str> {
        self.extensions().first().copied()
    }

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 => &["mp4", "m4v"],
            Self::Gif => &["gif"],
            Self::WebP => &["webp"],
            Self::Apng => &["apng", "png"],
            Self::WebM => &["webm"],
            Self::Mov => &["mov"],
            Self::Pictures => &[],
        }
    }

    /// Whether pixels can be partly transparent. GIF knows no more than on and off, which cuts hair out with scissors.
    pub fn has_alpha(self) -> bool {
        !matches!(self, Self::Mp4 | Self::Gif)
    }

    /// The extensions that users may choose from, for messages: `.mp4, .gif, ... or .mov`.
    pub fn choices(chosen: impl Fn(Self) -> bool) -> String {
        let files = Self::ALL.into_iter().filter(|format| chosen(*format)).filter_map(Self::extension);
        let files: Vec<String> = files.map(|extension| format!(".{extension}")).collect();
        match files.split_last() {
            None => String::new(),
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        for (name, format) in [
            ("a.mp4", Some(OutputFormat::Mp4)),
            ("a.M4V", Some(OutputFormat::Mp4)),
            ("a.b.WebP", Some(OutputFormat::WebP)),
            ("a.png", Some(OutputFormat::Apng)),
            ("a.mov", Some(OutputFormat::Mov)),
            ("a", Some(OutputFormat::Pictures)),
            ("a.mp4/", Some(OutputFormat::Pictures)),
            ("a.avi", None),
        ] {
            assert_eq!(OutputFormat::of(Path::new(name)), format, "{name}");
        }
        for format in OutputFormat::ALL {
            let name = format.extension().map_or("a".to_owned(), |extension| format!("a.{extension}"));
            assert_eq!(OutputFormat::of(Path::new(&name)), Some(format));
        }
        let with_alpha = OutputFormat::choices(OutputFormat::has_alpha);
        assert_eq!(with_alpha, ".webp, .apng, .webm or .mov");
    }
}
