//! Untrusted text, shown safely.
//!
//! Titles, names of programs and signers, box names, file names: whoever made a file chose them. Printed as they are, a
//! line break forges a second line of this program's, an escape sequence recolours or retitles the terminal, and
//! characters that turn the direction of writing make a name look like another. [`OneLine`] shows such characters by
//! their numbers, so that what is printed is one line and looks like what it is. Whoever prints wraps the whole line;
//! libraries hand on texts as they are.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// Shows what it holds on one line, every [`unprintable`](is_unprintable) character as an escape: `\n`, `\u{1b}`.
///
/// ```
/// use gioconda_media::OneLine;
///
/// assert_eq!(OneLine("nice\u{1b}[31m\nforged").to_string(), "nice\\u{1b}[31m\\nforged");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneLine<T>(pub T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, lines: false }, "{}", self.0)
    }
}

/// As [`OneLine`], of a text that has lines of its own: line feeds and tabs stay. For tables and help, whose parts were wrapped
/// in [`OneLine`] where they come from files.
#[derive(Clone, Copy, Debug)]
pub struct Lines<T>(pub T);

impl<T: Display> Display for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, lines: true }, "{}", self.0)
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    /// Line feeds and tabs stay.
    lines: bool,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, found) in text.char_indices().filter(|&(_, c)| is_unprintable(c)) {
            if self.lines && matches!(found, '\n' | '\t') {
                continue;
            }
            self.out.write_str(&text[plain..at])?;
            write!(self.out, "{}", escape(found))?;
            plain = at + found.len_utf8();
        }
        self.out.write_str(&text[plain..])
    }
}

/// `\n`, `\r` and `\t` as they are known, every other character as `\u{...}`.
fn escape(c: char) -> Cow<'static, str> {
    match c {
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        other => other.escape_unicode().to_string().into(),
    }
}

/// Characters that a terminal obeys or that cannot be seen: control characters (C0, DEL, C1), line and paragraph
/// separators, and Unicode's format characters: those that turn the direction of writing, have no width, or tag.
///
/// Sources: Unicode 16, categories Cc, Cf, Zl and Zp, and the fillers among `Default_Ignorable_Code_Point`.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
            | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_or_nobody_sees_is_shown_by_its_number() {
        for (text, shown) in [
            ("Mona Lisa, 6 Kb (naïve) – ‘žena’ 微笑 😀", "Mona Lisa, 6 Kb (naïve) – ‘žena’ 微笑 😀"),
            ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
            ("\u{1b}[31mRED\u{1b}]0;title\u{7}", "\\u{1b}[31mRED\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m\u{7f}\0", "\\u{9b}31m\\u{7f}\\u{0}"),
            ("photo\u{202e}gpj.exe", "photo\\u{202e}gpj.exe"),
            ("\u{2066}x\u{2069}\u{200e}\u{61c}", "\\u{2066}x\\u{2069}\\u{200e}\\u{61c}"),
            ("a\u{200b}b\u{feff}c\u{2060}\u{ad}", "a\\u{200b}b\\u{feff}c\\u{2060}\\u{ad}"),
            ("x\u{2028}y\u{2029}\u{85}", "x\\u{2028}y\\u{2029}\\u{85}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            (r"C:\photos\new", r"C:\photos\new"),
        ] {
            assert_eq!(OneLine(text).to_string(), shown);
        }
    }

    #[test]
    fn lines_keep_their_ends_and_nothing_else() {
        assert_eq!(Lines("| a |\n| \u{1b}[0m\r |\n").to_string(), "| a |\n| \\u{1b}[0m\\r |\n");
    }

    #[test]
    fn pieces_of_a_format_are_escaped_too() {
        let path = std::path::Path::new("a\nb");
        assert_eq!(OneLine(format_args!("{}: {}", path.display(), "\u{7}")).to_string(), "a\\nb: \\u{7}");
    }
}
