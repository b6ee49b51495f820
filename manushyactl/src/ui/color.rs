//! Colour: decided once, used for meaning only, never the only sign of it.

use std::io::IsTerminal as _;

use crate::config::Color;

/// Whether to colour what goes to each stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// Standard output.
    pub out: bool,
    /// Standard error.
    pub err: bool,
}

impl Paint {
    /// Decides by the setting, the streams and `TERM`, and tells the libraries that draw.
    pub fn decide(color: Color, dumb: bool) -> Self {
        let on = |tty: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => tty && !dumb,
        };
        let paint = Self {
            out: on(std::io::stdout().is_terminal()),
            err: on(std::io::stderr().is_terminal()),
        };
        console::set_colors_enabled(paint.out);
        console::set_colors_enabled_stderr(paint.err);
        paint
    }
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Beside the point.
    Dim,
    /// A heading.
    Strong,
}

/// The text in a colour, if colour is on.
pub fn tint(text: &str, tone: Tone, on: bool) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "31",
        Tone::Dim => "2",
        Tone::Strong => "1",
    };
    match on {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_beat_the_terminal() {
        assert_eq!(
            Paint::decide(Color::Always, true),
            Paint {
                out: true,
                err: true
            }
        );
        assert_eq!(Paint::decide(Color::Never, false), Paint::default());
        assert_eq!(tint("x", Tone::Bad, false), "x");
        assert!(tint("x", Tone::Bad, true).contains("31m"));
    }
}
