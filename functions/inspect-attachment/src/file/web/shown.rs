//! What a page shows of its own, and what it takes from elsewhere.

use gatepost::content::markup::Tag;

use super::address;

/// Letters that a page has which has something to say. A line that asks to wait has fewer.
const MUCH_TEXT: usize = 150;

/// A word is no longer; what is longer is read by scripts.
const MAX_WORD: usize = 40;

/// Hosts of libraries that draw what a page brings along. Those that hold anybody's files are not among them.
const LIBRARIES: [&str; 18] = [
    "cdn.plot.ly",
    "cdn.bokeh.org",
    "d3js.org",
    "code.jquery.com",
    "ajax.googleapis.com",
    "cdnjs.cloudflare.com",
    "www.gstatic.com",
    "code.highcharts.com",
    "cdn.datatables.net",
    "maxcdn.bootstrapcdn.com",
    "stackpath.bootstrapcdn.com",
    "cdn.amcharts.com",
    "cdn.anychart.com",
    "cdn.mathjax.org",
    "assets.pyecharts.org",
    "vega.github.io",
    "maps.googleapis.com",
    "www.google-analytics.com",
];

/// What all readings of a page show together.
#[derive(Debug, Default)]
pub(super) struct Shown {
    letters: usize,
    /// An element that is not shown, and how many of its name are open in it.
    hidden: Option<(String, usize)>,
    is_based_elsewhere: bool,
    /// A frame or an object is another's page.
    pub(super) frames: bool,
    /// A script of another's is loaded that is no library.
    pub(super) loads_script: bool,
    pub(super) has_form: bool,
    pub(super) has_link: bool,
}

impl Shown {
    pub(super) fn has_text(&self) -> bool {
        MUCH_TEXT <= self.letters
    }

    /// Another reading begins; what was shown before is answered.
    pub(super) fn begin(&mut self) -> usize {
        self.hidden = None;
        std::mem::take(&mut self.letters)
    }

    pub(super) fn end(&mut self, before: usize) {
        self.letters = self.letters.max(before);
    }

    pub(super) fn open(&mut self, tag: &Tag<'_>) {
        if tag.is_empty {
            return;
        }
        match &mut self.hidden {
            Some((name, open)) => *open += usize::from(*name == tag.local_name()),
            None if is_hidden(tag) => self.hidden = Some((tag.local_name().to_owned(), 1)),
            None => {}
        }
    }

    pub(super) fn close(&mut self, closed: &str) {
        if let Some((name, open)) = &mut self.hidden
            && name == closed
        {
            *open -= 1;
            if *open == 0 {
                self.hidden = None;
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.hidden.is_none() && !self.has_text() {
            let words = text.split_whitespace().filter(|word| word.len() <= MAX_WORD);
            self.letters += words.map(|word| word.chars().filter(|c| c.is_alphanumeric()).count()).sum::<usize>();
        }
    }

    /// What `tag` loads, leads to or sends to.
    pub(super) fn targets(&mut self, tag: &Tag<'_>) {
        let target = |name: &str| tag.local_attribute(name).map(|value| address(&value));
        let elsewhere = |name: &str| target(name).is_some_and(|target| self.is_elsewhere(&target));
        match tag.local_name() {
            "base" => self.is_based_elsewhere |= elsewhere("href"),
            "iframe" | "frame" | "embed" | "portal" | "fencedframe" => self.frames |= elsewhere("src"),
            "object" => self.frames |= elsewhere("data"),
            "script" => {
                let source = target("src").or_else(|| target("href"));
                self.loads_script |= source.is_some_and(|source| self.is_elsewhere(&source) && !is_library(&source));
            }
            "form" => self.has_form |= elsewhere("action"),
            "button" | "input" => self.has_form |= elsewhere("formaction"),
            "a" | "area" => self.has_link |= elsewhere("href"),
            _ => {}
        }
    }

    /// `address` has no blanks.
    fn is_elsewhere(&self, address: &str) -> bool {
        let lower = address.get(..address.floor_char_boundary(10)).unwrap_or_default().to_ascii_lowercase();
        let lower = lower.replace('\\', "/");
        let has_scheme = lower.starts_with("http:") || lower.starts_with("https:") || lower.starts_with("//");
        let is_relative = !lower.contains(':') && !lower.starts_with('#') && !lower.is_empty();
        has_scheme || self.is_based_elsewhere && is_relative
    }
}

fn is_hidden(tag: &Tag<'_>) -> bool {
    // These have no end tag, and would hide all that follows.
    let has_no_end =
        ["input", "img", "br", "meta", "link", "hr", "source", "base", "body", "html", "script", "p", "li", "option"];
    if has_no_end.contains(&tag.local_name()) {
        return false;
    }
    let style = tag.attribute("style").unwrap_or_default().to_ascii_lowercase().replace(' ', "");
    let is_out_of_sight =
        ["display:none", "visibility:hidden", "font-size:0", "opacity:0;"].iter().any(|way| style.contains(way));
    matches!(tag.local_name(), "noscript" | "template" | "title")
        || tag.attribute("hidden").is_some()
        || is_out_of_sight
}

fn is_library(address: &str) -> bool {
    let lower = address.to_ascii_lowercase().replace('\\', "/");
    let rest = lower.trim_start_matches("https:").trim_start_matches("http:").trim_start_matches('/');
    LIBRARIES.contains(&rest.split(['/', '?', '#']).next().unwrap_or_default())
}
