//! The ways in which programs read one document. Where two of them would see different markup, each reading is judged.

use memchr::memchr_iter;

use super::expanded;
use crate::content::character_reference::resolved;

/// Elements whose content is text, whatever looks like a tag in it.
const RAW_TEXT: [&str; 9] =
    ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "plaintext"];

/// Elements within which others are read by rules of their own, or are left out.
const DOUBTFUL: [&str; 5] = ["svg", "math", "select", "frameset", "noscript"];

/// Namespaces in which an XML document can do what a page does.
const PAGES: [&str; 3] = ["/1999/xhtml", "/2000/svg", "/1999/XSL/Transform"];

/// What a program takes for markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A browser: what is meant for programs without scripts is a text to it.
    Browser,
    /// The same without scripts, as mail programs are.
    WithoutScripts,
    /// One that knows neither drawings nor formulas: a style sheet is a text wherever it stands.
    Flat,
    /// One that takes everything for markup that is no script.
    Nested,
    /// As XML, where names are as they are written and every element may be empty.
    Xml,
}

impl Reading {
    /// How a letter may be read.
    #[must_use]
    pub fn of_mail(html: &str) -> Vec<Self> {
        let mut readings = vec![Self::WithoutScripts];
        if DOUBTFUL.iter().any(|element| has_tag(html, element)) {
            readings.extend([Self::Flat, Self::Nested]);
        }
        readings
    }

    /// How a file may be read that is opened as a page, by its name or by what is in it.
    #[must_use]
    pub fn of_page(html: &str) -> Vec<Self> {
        let mut readings = Self::of_mail(html);
        if has_tag(html, "noscript") {
            readings.push(Self::Browser);
        }
        readings
    }

    /// Whether an XML document may do what a page does: the text with its references and entities resolved says so.
    #[must_use]
    pub fn is_page_of_xml(xml: &str) -> bool {
        let (text, expanded) = (resolved(xml), expanded(xml));
        expanded.is_cut || PAGES.iter().any(|namespace| text.contains(namespace) || expanded.text.contains(namespace))
    }

    /// Whether drawings and formulas are read by rules of their own.
    pub(super) fn knows_drawings(self) -> bool {
        matches!(self, Self::Browser | Self::WithoutScripts)
    }

    /// The element, if what it holds is no markup.
    pub(super) fn raw_text(self, name: &str) -> Option<&'static str> {
        let known = RAW_TEXT.into_iter().find(|element| *element == name);
        match self {
            Self::Browser if name == "noscript" => Some("noscript"),
            Self::Browser | Self::WithoutScripts | Self::Flat => known,
            Self::Nested => known.filter(|element| *element == "script"),
            Self::Xml => None,
        }
    }
}

fn has_tag(html: &str, element: &str) -> bool {
    let octets = html.as_bytes();
    memchr_iter(b'<', octets).any(|at| {
        let name = octets.get(at + 1..at + 1 + element.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(element.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_in_more_than_one_way_only_where_programs_differ() {
        use Reading::{Browser, Flat, Nested, WithoutScripts};
        for (html, of_page) in [
            ("<p>a<style>b</style>", &[WithoutScripts][..]),
            ("<p><SVG>", &[WithoutScripts, Flat, Nested]),
            ("<noscript>", &[WithoutScripts, Flat, Nested, Browser]),
        ] {
            assert_eq!(Reading::of_page(html), of_page, "{html}");
        }
    }

    #[test]
    fn a_document_of_xml_is_a_page_by_its_namespace_however_that_is_written() {
        for (xml, expected) in [
            ("<a xmlns='http://www.w3.org/1999/xhtml'/>", true),
            ("<a xmlns='http://www.w3.org/2000/sv&#103;'/>", true),
            ("<!DOCTYPE a [<!ENTITY b 'xhtml'>]><a xmlns='http://www.w3.org/1999/&b;'/>", true),
            ("<Invoice xmlns='urn:oasis:names:specification:ubl'/>", false),
        ] {
            assert_eq!(Reading::is_page_of_xml(xml), expected, "{xml}");
        }
    }
}
