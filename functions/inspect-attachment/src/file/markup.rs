//! The tags of the XML in documents, by their names without the prefix of a namespace, and the scripts between them.

use std::borrow::Cow;

use gatepost::content::{
    character_reference::resolved,
    markup::{self, Pieces, Reading, local},
};

/// A start tag, or the text of an element that is a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Tag(Tag<'a>),
    Script(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    /// In lower case.
    pub(crate) name: String,
    attributes: Vec<(String, Cow<'a, str>)>,
}

impl Tag<'_> {
    /// The value of an attribute by its name in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }
}

/// In order. Linear in `xml`.
pub(crate) fn pieces(xml: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut script: Option<String> = None;
    Pieces::of(xml, Reading::Xml).filter_map(move |piece| match piece {
        markup::Piece::Open(tag) => {
            if tag.local_name() == "script" && !tag.is_empty {
                script = Some(String::new());
            }
            Some(Piece::Tag(named(&tag)))
        }
        markup::Piece::Close(name) if local(&name) == "script" => script.take().map(Piece::Script),
        markup::Piece::Text(text) => {
            script.iter_mut().for_each(|script| script.push_str(&resolved(text)));
            None
        }
        markup::Piece::Close(_) | markup::Piece::Raw(..) | markup::Piece::Comment(_) => None,
    })
}

fn named<'a>(tag: &markup::Tag<'a>) -> Tag<'a> {
    let attributes = tag.attributes().map(|(name, value)| (local(&name).to_owned(), value));
    Tag { name: tag.local_name().to_owned(), attributes: attributes.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_are_known_without_their_prefixes() {
        let xml = "<?xml version='1.0'?><!-- <a> --><w:fldSimple w:instr='a&amp;b'/><style><b c='d'></style>";
        let name = |piece| match piece {
            Piece::Tag(tag) => (tag.name.clone(), tag.get("instr").map(str::to_owned)),
            Piece::Script(script) => (script, None),
        };
        let expected = [("fldsimple", Some("a&b")), ("style", None), ("b", None)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(pieces(xml).map(name).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_script_is_its_text_however_it_is_written() {
        for xml in
            ["<x:script>a&lt;b</x:script>", "<script><![CDATA[a<b]]></script>", "<script>a<!-- c -->&#60;b</script>"]
        {
            let scripts = pieces(xml).filter(|piece| matches!(piece, Piece::Script(_)));
            assert_eq!(scripts.collect::<Vec<_>>(), [Piece::Script("a<b".to_owned())], "{xml}");
        }
    }
}
