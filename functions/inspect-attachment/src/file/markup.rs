//! The tags of the XML in documents, by their names without the prefix of a namespace.

use gatepost::content::markup::{self, Piece, Pieces, Reading, local};

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    /// In lower case.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute by its name in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All start tags in order. Linear in `xml`.
pub(crate) fn tags(xml: &str) -> impl Iterator<Item = Tag> {
    Pieces::of(xml, Reading::Xml).filter_map(|piece| match piece {
        Piece::Open(tag) => Some(named(&tag)),
        Piece::Close(_) | Piece::Text(_) | Piece::Raw(..) | Piece::Comment(_) => None,
    })
}

fn named(tag: &markup::Tag<'_>) -> Tag {
    let attributes = tag.attributes().map(|(name, value)| (local(&name).to_owned(), value.into_owned()));
    Tag { name: tag.local_name().to_owned(), attributes: attributes.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_are_known_without_their_prefixes() {
        let xml = "<?xml version='1.0'?><!-- <a> --><w:fldSimple w:instr='a&amp;b'/><style><b c='d'></style>";
        let found: Vec<_> = tags(xml).map(|tag| (tag.name.clone(), tag.get("instr").map(str::to_owned))).collect();
        let expected = [("fldsimple", Some("a&b")), ("style", None), ("b", None)];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))));
    }
}
