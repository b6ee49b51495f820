//! Draws text and boxes into the grid, in the look of the theme.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use ratatui::widgets::{Block, Widget as _};

use crate::model::{Model, Theme};
use crate::text::{Role, Spans, fit, width, wrapped};

/// The signs that are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Glyphs {
    /// As it should be.
    pub ok: &'static str,
    /// Broken or denied.
    pub bad: &'static str,
    /// To be looked at.
    pub warn: &'static str,
    /// Connected.
    pub dot: &'static str,
    /// Not connected.
    pub ring: &'static str,
    /// The selected row.
    pub here: &'static str,
    /// A marked row.
    pub mark: &'static str,
    /// The cursor of a text.
    pub cursor: &'static str,
    /// A full cell of a bar.
    pub full: &'static str,
    /// An empty cell of a bar.
    pub empty: &'static str,
    /// Heights, from nothing to all.
    pub levels: [&'static str; 9],
    /// A cell of what reaches further than the full ones.
    pub shade: &'static str,
    /// Rising and falling order.
    pub ways: [&'static str; 2],
    /// Between things in a line.
    pub between: &'static str,
    ascii: bool,
}

const UNICODE: Glyphs = Glyphs {
    ok: "✓",
    bad: "✗",
    warn: "!",
    dot: "●",
    ring: "○",
    here: "▸",
    mark: "◆",
    cursor: "█",
    full: "█",
    empty: "·",
    levels: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    shade: "░",
    ways: ["▲", "▼"],
    between: "·",
    ascii: false,
};

const ASCII: Glyphs = Glyphs {
    ok: "ok",
    bad: "x",
    warn: "!",
    dot: "*",
    ring: "o",
    here: ">",
    mark: "*",
    cursor: "_",
    full: "#",
    empty: ".",
    levels: [" ", ".", ".", ":", "-", "=", "+", "#", "#"],
    shade: ":",
    ways: ["^", "v"],
    between: "-",
    ascii: true,
};

const ASCII_BORDER: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Draws into a grid.
pub struct Pen<'a> {
    /// The grid.
    pub buffer: &'a mut Buffer,
    /// The signs.
    pub glyphs: Glyphs,
    theme: Theme,
}

impl<'a> Pen<'a> {
    /// A pen for this grid, in the look that the model has.
    pub fn new(buffer: &'a mut Buffer, model: &Model) -> Self {
        Self {
            buffer,
            glyphs: if model.settings.ascii { ASCII } else { UNICODE },
            theme: model.theme,
        }
    }

    /// The look of a role.
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let [accent, ok, warn, bad, quoted, number] = match self.theme {
            Theme::Terminal => [
                Color::Cyan,
                Color::Green,
                Color::Yellow,
                Color::Red,
                Color::Green,
                Color::Magenta,
            ],
            Theme::Dark => [
                Color::LightCyan,
                Color::LightGreen,
                Color::LightYellow,
                Color::LightRed,
                Color::LightGreen,
                Color::LightMagenta,
            ],
            Theme::Light => [
                Color::Blue,
                Color::Green,
                Color::Magenta,
                Color::Red,
                Color::Green,
                Color::Blue,
            ],
            Theme::HighContrast | Theme::Mono => [Color::Reset; 6],
        };
        if self.theme == Theme::HighContrast {
            return match role {
                Role::Plain | Role::Dim | Role::Quoted | Role::Number => plain,
                Role::Bad => bold.add_modifier(Modifier::REVERSED),
                Role::Warn | Role::Accent => bold.add_modifier(Modifier::UNDERLINED),
                Role::Ok | Role::Title => bold,
            };
        }
        match role {
            Role::Plain => plain,
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Ok => plain.fg(ok),
            Role::Warn => bold.fg(warn),
            Role::Bad => bold.fg(bad),
            Role::Title => bold,
            Role::Accent => plain.fg(accent),
            Role::Quoted => plain.fg(quoted),
            Role::Number => plain.fg(number),
        }
    }

    /// Writes a text into so many cells at most; returns how many it took.
    pub fn text(&mut self, x: u16, y: u16, cells: u16, role: Role, text: &str) -> u16 {
        self.styled(x, y, cells, self.style(role), text)
    }

    fn styled(&mut self, x: u16, y: u16, cells: u16, style: Style, text: &str) -> u16 {
        if !self.buffer.area.contains((x, y).into()) {
            return 0;
        }
        let fitted = self.plain(fit(text, usize::from(cells)));
        self.buffer
            .set_stringn(x, y, &fitted, usize::from(cells), style);
        u16::try_from(width(&fitted)).unwrap_or(cells)
    }

    /// Without what `--ascii` forbids of our own; what users wrote stays theirs, cell for cell.
    fn plain(&self, text: String) -> String {
        if !self.glyphs.ascii || text.is_ascii() {
            return text;
        }
        let ascii = |c: char| match c {
            c if c.is_ascii() => c.to_string(),
            '…' => "~".to_owned(),
            '✓' => "+".to_owned(),
            '✗' => "x".to_owned(),
            c => "?".repeat(unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)),
        };
        text.chars().map(ascii).collect()
    }

    /// Writes a line of pieces into so many cells at most; returns how many it took.
    pub fn spans(&mut self, x: u16, y: u16, cells: u16, spans: &Spans) -> u16 {
        let mut used = 0;
        for (role, text) in spans {
            if used >= cells {
                break;
            }
            used += self.text(x + used, y, cells - used, *role, text);
        }
        used
    }

    /// Draws a box with a title and a line at its foot, and returns what is inside.
    pub fn frame(&mut self, area: Rect, title: &Spans, foot: &Spans, has_focus: bool) -> Rect {
        let area = area.intersection(self.buffer.area);
        if area.width < 3 || area.height < 2 {
            return Rect::default();
        }
        let style = if has_focus {
            self.style(Role::Accent)
        } else {
            self.style(Role::Dim)
        };
        let set = if self.glyphs.ascii {
            ASCII_BORDER
        } else {
            border::PLAIN
        };
        let block = Block::bordered().border_set(set).border_style(style);
        let inner = block.inner(area);
        block.render(area, self.buffer);
        let cells = area.width.saturating_sub(4);
        for (spans, y) in [(title, area.y), (foot, area.bottom() - 1)] {
            if spans.iter().any(|(_, text)| !text.is_empty()) {
                self.text(area.x + 1, y, 1, Role::Plain, " ");
                let used = self.spans(area.x + 2, y, cells, spans);
                self.text(area.x + 2 + used, y, 1, Role::Plain, " ");
            }
        }
        inner
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        ratatui::widgets::Clear.render(area.intersection(self.buffer.area), self.buffer);
    }

    /// Makes an area look old.
    pub fn fade(&mut self, area: Rect) {
        let style = Style::new().add_modifier(Modifier::DIM);
        self.buffer
            .set_style(area.intersection(self.buffer.area), style);
    }

    /// Turns a row around, as what is selected.
    pub fn highlight(&mut self, area: Rect) {
        let style = Style::new().add_modifier(Modifier::REVERSED);
        self.buffer
            .set_style(area.intersection(self.buffer.area), style);
    }

    /// A row of heights, the last the newest.
    pub fn spark(&self, series: &[f64]) -> String {
        self.spark_to(series, series.iter().copied().fold(0.0_f64, f64::max))
    }

    /// A row of heights of which the highest stands for `most`.
    pub fn spark_to(&self, series: &[f64], most: f64) -> String {
        let level = |value: &f64| {
            if *value <= 0.0 || most <= 0.0 {
                return self.glyphs.levels[if self.glyphs.ascii { 0 } else { 1 }];
            }
            let step = (value / most * 8.0).ceil() as usize;
            self.glyphs.levels[step.clamp(1, 8)]
        };
        series.iter().map(level).collect()
    }

    /// Two series as one picture of so many rows: up to the first full, up to the second shaded.
    pub fn layers(&self, full: &[f64], shaded: &[f64], rows: usize) -> Vec<String> {
        let most = shaded.iter().chain(full).copied().fold(0.0_f64, f64::max);
        let cell = |full: f64, shaded: f64, row: usize| {
            // In eighths of a row above the foot of this one.
            let eighths = |value: f64| {
                let height = if most > 0.0 {
                    value / most * rows as f64
                } else {
                    0.0
                };
                (height - row as f64) * 8.0
            };
            match (eighths(full), eighths(shaded)) {
                (full, _) if full >= 8.0 => self.glyphs.levels[8],
                (full, _) if full > 0.5 => {
                    self.glyphs.levels[full.round().clamp(1.0, 8.0) as usize]
                }
                (_, shaded) if shaded > 0.5 => self.glyphs.shade,
                _ => " ",
            }
        };
        let line = |row: usize| {
            full.iter()
                .zip(shaded)
                .map(|(full, shaded)| cell(*full, *shaded, row))
                .collect()
        };
        (0..rows).rev().map(line).collect()
    }

    /// Lines of text from a line on, wrapped to the area; returns how many lines there are in all.
    pub fn document(&mut self, area: Rect, lines: &[Spans], scroll: usize) -> usize {
        let cells = usize::from(area.width);
        let mut rows = 0_usize;
        for spans in lines {
            for piece in wrapped(spans, cells) {
                if let Some(at) = rows.checked_sub(scroll)
                    && at < usize::from(area.height)
                {
                    let y = area.y + u16::try_from(at).unwrap_or(0);
                    self.spans(area.x, y, area.width, &piece);
                }
                rows += 1;
            }
        }
        rows
    }
}
