//! Plain SVG: a white card, so that it can be read on any background, in letters that stay readable at 360 pixels.

use std::fmt::{Display, Write as _};

pub const WIDTH: u32 = 600;

const STYLE: &str = "text{font:16px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2933}\
.b{font-weight:600}.good{fill:#146c43}.bad{fill:#b42318}.dim{fill:#52606d}\
.node{fill:#eef2f6;stroke:#486581;stroke-width:1.5}.node.good{fill:#e3f6ea;stroke:#146c43}\
.node.bad{fill:#fdecea;stroke:#b42318}.line{fill:none;stroke:#486581;stroke-width:1.5}\
.line.good{stroke:#146c43}.line.bad{stroke:#b42318}.life{stroke:#9fb3c8;stroke-dasharray:4 3}";

pub struct Svg {
    body: String,
    height: u32,
    title: &'static str,
}

impl Svg {
    pub fn new(title: &'static str, height: u32) -> Self {
        Self { body: String::new(), height, title }
    }

    /// Text at its base line. `class` may hold `b`, `good`, `bad`, `dim`; `anchor` is `start`, `middle` or `end`.
    pub fn text(&mut self, (x, y): (u32, u32), anchor: &str, class: &str, text: impl Display) {
        let text = text.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(self.body, r#"<text x="{x}" y="{y}" text-anchor="{anchor}" class="{class}">{text}</text>"#);
    }

    /// A box around this centre, with a name in it.
    pub fn node(&mut self, (x, y): (u32, u32), width: u32, tone: &str, name: &str) {
        let (left, top) = (x - width / 2, y - 20);
        let _ = writeln!(
            self.body,
            r#"<rect x="{left}" y="{top}" width="{width}" height="40" rx="8" class="node {tone}"/>"#
        );
        self.text((x, y + 6), "middle", "b", name);
    }

    /// A path with an arrow at its end.
    pub fn arrow(&mut self, path: &str, tone: &str) {
        let head = if tone.is_empty() { "plain" } else { tone };
        let _ = writeln!(self.body, r#"<path d="{path}" class="line {tone}" marker-end="url(#{head})"/>"#);
    }

    /// A line as it is.
    pub fn line(&mut self, path: &str, class: &str) {
        let _ = writeln!(self.body, r#"<path d="{path}" class="{class}"/>"#);
    }

    pub fn finish(self) -> String {
        let (height, title) = (self.height, self.title);
        let head = |id: &str, class: &str| {
            format!(
                r#"<marker id="{id}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" markerHeight="11" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10Z" fill="{class}"/></marker>"#
            )
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <defs>{}{}{}</defs>\n<rect x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"10\" fill=\"#fff\" \
             stroke=\"#bcccdc\"/>\n{}</svg>\n",
            head("plain", "#486581"),
            head("good", "#146c43"),
            head("bad", "#b42318"),
            WIDTH - 2,
            height - 2,
            self.body
        )
    }
}
