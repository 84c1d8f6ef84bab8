//! Line charts as SVG, readable on light and dark pages.

use std::fmt::Write;

const STYLE: &str = r#"
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 } .tick { fill: #59636e }
polyline { fill: none; stroke-width: 2 } .axis { stroke: #d1d9e0 } .trouble { fill: #8c959f; opacity: 0.15 }
.mark { stroke: #8c959f; stroke-dasharray: 3 3 }
.with { stroke: #0969da } .without { stroke: #bc4c00 } .third { stroke: #8c959f }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .tick { fill: #9198a1 } .axis { stroke: #3d444d }
  .with { stroke: #4493f8 } .without { stroke: #db6d28 } .third { stroke: #9198a1 }
}"#;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 20.0;
const LEFT: f64 = 70.0;
const HEIGHT: f64 = 150.0;
const HEAD: f64 = 44.0;
const FOOT: f64 = 30.0;

/// A line: its name in the key, its class (`with`, `without`, `third`), and its points by rising x.
pub struct Line {
    /// What it shows.
    pub name: &'static str,
    /// Its look.
    pub class: &'static str,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// One coordinate system.
pub struct Panel {
    /// What the vertical axis is, with its unit.
    pub title: &'static str,
    /// What is drawn.
    pub lines: Vec<Line>,
    /// From where to where the background is shaded.
    pub shaded: Vec<(f64, f64)>,
    /// What happened when, as numbers that a text explains.
    pub marks: Vec<(f64, String)>,
}

/// A line of one figure a second.
pub fn line(name: &'static str, class: &'static str, figures: impl Iterator<Item = f64>) -> Line {
    Line { name, class, points: figures.enumerate().map(|(second, figure)| (second as f64, figure)).collect() }
}

/// A chart of panels below each other that share what `x` says.
pub fn chart(title: &str, x: &str, panels: &[Panel]) -> String {
    let each = HEAD + HEIGHT + FOOT;
    let height = MARGIN + 24.0 + each * panels.len() as f64 + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}\n</style>\n<text class=\"title\" x=\"{MARGIN}\" y=\"26\">{title}</text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let y = MARGIN + 24.0 + each * index as f64;
        writeln!(out, "<g transform=\"translate({LEFT} {y})\">").expect("a string takes everything");
        draw(&mut out, panel, x).expect("a string takes everything");
        out.push_str("</g>\n");
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, panel: &Panel, x_title: &str) -> std::fmt::Result {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let width = WIDTH - LEFT - MARGIN;
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    let top = if highest > 0.0 { round_up(highest) } else { 1.0 };
    let place = |x: f64, y: f64| (x / last * width, HEAD + HEIGHT * (1.0 - y / top));
    writeln!(out, "<text class=\"panel\" x=\"0\" y=\"16\">{}</text>", panel.title)?;
    for &(from, to) in &panel.shaded {
        let ((left, _), (right, _)) = (place(from, 0.0), place(to, 0.0));
        let wide = right - left;
        writeln!(
            out,
            "<rect class=\"trouble\" x=\"{left:.1}\" y=\"{HEAD}\" width=\"{wide:.1}\" height=\"{HEIGHT}\"/>"
        )?;
    }
    for (at, text) in &panel.marks {
        let (x, _) = place(*at, 0.0);
        writeln!(out, "<line class=\"mark\" x1=\"{x:.1}\" y1=\"{HEAD}\" x2=\"{x:.1}\" y2=\"{}\"/>", HEAD + HEIGHT)?;
        writeln!(out, "<text class=\"tick\" x=\"{:.1}\" y=\"{}\">{text}</text>", x + 3.0, HEAD + 11.0)?;
    }
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let (_, y) = place(0.0, value);
        writeln!(out, "<line class=\"axis\" x1=\"0\" y1=\"{y:.1}\" x2=\"{width}\" y2=\"{y:.1}\"/>")?;
        writeln!(
            out,
            "<text class=\"tick\" x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y + 4.0,
            short(value)
        )?;
    }
    let step = round_up(last / 8.0);
    let ticks = (last / step) as u32;
    for tick in 0..=ticks {
        let (x, y) = place(step * f64::from(tick), 0.0);
        let unit = if tick == ticks { x_title } else { "" };
        let (text, y) = (format!("{} {unit}", short(step * f64::from(tick))), y + 18.0);
        // The unit stands behind the last figure, as far as there is room.
        let anchor = if x > width - 20.0 { "end" } else { "middle" };
        writeln!(
            out,
            "<text class=\"tick\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            text.trim()
        )?;
    }
    for (index, line) in panel.lines.iter().enumerate() {
        let at = 240.0 * index as f64;
        writeln!(out, "<polyline class=\"{}\" points=\"{at},30 {},30\"/>", line.class, at + 20.0)?;
        writeln!(out, "<text x=\"{}\" y=\"34\">{}</text>", at + 26.0, line.name)?;
        let points: Vec<String> =
            line.points.iter().map(|(x, y)| place(*x, *y)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        writeln!(out, "<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "))?;
    }
    Ok(())
}

/// The next 1, 2, 4 or 8 times a power of ten: quarters and multiples of it are short.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().map(|digit| digit * power).find(|top| *top >= value).unwrap_or(value)
}

fn short(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
