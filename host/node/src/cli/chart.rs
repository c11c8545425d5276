//! A picture of lines between two axes, as SVG: for a page that may be light or dark, and for readers that do not see it.
//!
//! Owns the layout. What it is told is text or numbers, and it escapes the text; it measures and writes nothing. Called by
//! `skep bench --curves`.

mod scale;

use std::fmt::Write;

use scale::Scale;
pub(super) use scale::Spacing;

/// A picture.
pub(super) struct Chart {
    pub(super) title: String,
    /// What one sees, for those who do not.
    pub(super) description: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// What is drawn along one side.
pub(super) struct Axis {
    /// With the unit, if the numbers at the ticks are without.
    pub(super) name: &'static str,
    pub(super) spacing: Spacing,
    /// How a tick's number is written.
    pub(super) shown: fn(f64) -> String,
}

/// A line with a place in the legend.
pub(super) struct Line {
    pub(super) name: String,
    /// Lines of one colour belong together.
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Vec<Point>,
}

/// How a line is told from others of its colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
}

/// A point, and in what range it was measured.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Where the lines are.
const LEFT: f64 = 78.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 74.0;
const BOTTOM: f64 = HEIGHT - 52.0;
/// Of middle lightness: each is at least three times as dark or as light as either page, and the text four times.
const COLOURS: [&str; 3] = ["#2f7fe0", "#c9601a", "#2c9a4b"];
const TEXT: &str = "#737b85";
/// Between two entries of the legend, and for a letter of it.
const GAP: f64 = 52.0;
const LETTER: f64 = 7.0;

impl Chart {
    /// Draws it. A point for which an axis has no place, as for nothing on a logarithmic one, is left out.
    pub(super) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Scale::over(self.x.spacing, points().map(|point| point.x), LEFT..RIGHT);
        let y = Scale::over(self.y.spacing, points().flat_map(|point| [point.least, point.most]), BOTTOM..TOP);
        let mut svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13" fill="{TEXT}">
<title id="title">{}</title>
<desc id="desc">{}</desc>
"#,
            escaped(&self.title),
            escaped(&self.description)
        );
        text(&mut svg, (LEFT, 24.0), "start", r#" font-size="16" font-weight="600""#, &self.title);
        self.legend(&mut svg);
        self.axes(&mut svg, &x, &y);
        for line in &self.lines {
            line.draw(&mut svg, &x, &y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String) {
        let mut at = LEFT;
        for line in &self.lines {
            line.path(svg, &[(at, 46.0), (at + 28.0, 46.0)]);
            line.mark(svg, (at + 14.0, 46.0));
            text(svg, (at + 36.0, 50.0), "start", "", &line.name);
            at += GAP + LETTER * length(&line.name);
        }
    }

    fn axes(&self, svg: &mut String, x: &Scale, y: &Scale) {
        for tick in x.ticks() {
            let Some(at) = x.place(tick) else { continue };
            rule(svg, (at, TOP), (at, BOTTOM), "0.25");
            text(svg, (at, BOTTOM + 18.0), "middle", "", &(self.x.shown)(tick));
        }
        for tick in y.ticks() {
            let Some(at) = y.place(tick) else { continue };
            rule(svg, (LEFT, at), (RIGHT, at), "0.25");
            text(svg, (LEFT - 8.0, at + 4.0), "end", "", &(self.y.shown)(tick));
        }
        rule(svg, (LEFT, BOTTOM), (RIGHT, BOTTOM), "1");
        rule(svg, (LEFT, TOP), (LEFT, BOTTOM), "1");
        text(svg, ((LEFT + RIGHT) / 2.0, HEIGHT - 12.0), "middle", "", self.x.name);
        let middle = (TOP + BOTTOM) / 2.0;
        let turned = format!(r#" transform="rotate(-90 16 {middle})""#);
        text(svg, (16.0, middle), "middle", &turned, self.y.name);
    }
}

impl Line {
    fn draw(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let mut path = Vec::new();
        for point in &self.points {
            let (Some(across), Some(up)) = (x.place(point.x), y.place(point.y)) else { continue };
            if let (Some(least), Some(most)) = (y.place(point.least), y.place(point.most)) {
                self.path(svg, &[(across, least), (across, most)]);
            }
            path.push((across, up));
        }
        self.path(svg, &path);
        path.into_iter().for_each(|at| self.mark(svg, at));
    }

    fn colour(&self) -> &'static str {
        COLOURS[self.colour % COLOURS.len()]
    }

    fn path(&self, svg: &mut String, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = if self.stroke == Stroke::Dashed { r#" stroke-dasharray="6 4""# } else { "" };
        let (points, colour) = (points.join(" "), self.colour());
        put(
            svg,
            format_args!(r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>"#),
        );
    }

    /// Not by its colour alone is a line to be known.
    fn mark(&self, svg: &mut String, (x, y): (f64, f64)) {
        let colour = self.colour();
        if self.colour.is_multiple_of(2) {
            put(svg, format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#));
        } else {
            let (left, top) = (x - 4.0, y - 4.0);
            put(svg, format_args!(r#"<rect x="{left:.1}" y="{top:.1}" width="8" height="8" fill="{colour}"/>"#));
        }
    }
}

fn rule(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), opacity: &str) {
    put(
        svg,
        format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{TEXT}" stroke-opacity="{opacity}"/>"#
        ),
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, more: &str, text: &str) {
    let text = escaped(text);
    put(svg, format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}"{more}>{text}</text>"#));
}

fn put(svg: &mut String, element: std::fmt::Arguments) {
    writeln!(svg, "{element}").expect("a string takes whatever it is given");
}

#[allow(clippy::cast_precision_loss, reason = "names are short")]
fn length(text: &str) -> f64 {
    text.chars().count() as f64
}

/// Text that is text in XML as well. What XML cannot hold at all is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(spacing: Spacing, points: &[(f64, f64)]) -> Chart {
        let point = |(x, y): &(f64, f64)| Point { x: *x, y: *y, least: *y, most: *y };
        let axis = |name| Axis { name, spacing, shown: |value| format!("{value}") };
        let line = Line {
            name: "a <b> & \"c\"".to_owned(),
            colour: 0,
            stroke: Stroke::Dashed,
            points: points.iter().map(point).collect(),
        };
        let (title, description) = ("x > y".to_owned(), "'seen'\u{1b}\u{0}".to_owned());
        Chart { title, description, x: axis("across"), y: axis("up"), lines: vec![line] }
    }

    /// The texts between tags, which must be well-formed: each tag closes itself, or is closed before its parent.
    fn texts(svg: &str) -> Vec<String> {
        let (mut open, mut texts) = (Vec::new(), Vec::new());
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("no end of a tag: {part}"));
            assert!(!text.contains(['"', '\'', '>']), "not escaped: {text}");
            match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
                (Some(name), _) => assert_eq!(open.pop(), Some(name.to_owned()), "{part}"),
                (None, None) => open.extend(tag.split(' ').next().map(str::to_owned)),
                (None, Some(_)) => {}
            }
            texts.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        }
        assert_eq!(open, Vec::<String>::new(), "all is closed");
        texts
    }

    #[test]
    fn text_of_any_kind_is_text() {
        let svg = chart(Spacing::Linear, &[(0.0, 1.0), (10.0, 2.0)]).svg();
        let texts = texts(&svg);
        assert_eq!(texts[..2], ["x &gt; y", "&#39;seen&#39;"]);
        assert!(texts.iter().any(|text| text == "a &lt;b&gt; &amp; &quot;c&quot;"), "{texts:?}");
        assert!(texts.iter().any(|text| text == "across") && texts.iter().any(|text| text == "up"), "{texts:?}");
        assert!(svg.contains(r#"<title id="title">"#) && svg.contains(r#"aria-labelledby="title desc""#), "{svg}");
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let svg = chart(Spacing::Logarithmic, &[(1.0, 1.0), (10.0, 10.0), (100.0, 100.0)]).svg();
        let middle = ((LEFT + RIGHT) / 2.0, (BOTTOM + TOP) / 2.0);
        let path = format!("{LEFT:.1},{BOTTOM:.1} {:.1},{:.1} {RIGHT:.1},{TOP:.1}", middle.0, middle.1);
        assert!(svg.contains(&path), "no {path} in {svg}");
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        for points in [&[][..], &[(0.0, 0.0)], &[(f64::NAN, 1.0)], &[(0.0, 5.0), (1.0, f64::INFINITY)]] {
            for spacing in [Spacing::Linear, Spacing::Logarithmic] {
                let svg = chart(spacing, points).svg();
                texts(&svg);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{points:?}: {svg}");
            }
        }
    }
}
