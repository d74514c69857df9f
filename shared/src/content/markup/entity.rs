//! Entities that an XML document declares for itself (XML 1.0 §4.2): they may stand for any text, markup included.

use std::borrow::Cow;

use memchr::memmem;

use crate::content::character_reference::resolved;

/// Declarations that are read.
const MAX_ENTITIES: usize = 200;

/// Entities within each other that are replaced.
const MAX_NESTING: usize = 4;

/// Octets that replacing may add.
const MAX_ADDED: usize = 1 << 20;

struct Entity<'x> {
    name: &'x str,
    text: &'x str,
}

/// A document with the entities that it declares replaced by what they stand for.
#[derive(Debug)]
pub struct Expanded<'x> {
    pub text: Cow<'x, str>,
    /// A reader without our limits sees more: entities deeper than 4, beyond the 200th, or longer than 1 MB together.
    pub is_cut: bool,
}

/// Linear.
#[must_use]
pub fn expanded(xml: &str) -> Expanded<'_> {
    let mut expanded = Expanded { text: Cow::Borrowed(xml), is_cut: false };
    if memmem::find(xml.as_bytes(), DECLARATION.as_bytes()).is_none() {
        return expanded;
    }
    let declarations = resolved(xml);
    let entities: Vec<Entity<'_>> = declared(&declarations).collect();
    for _ in 0..MAX_NESTING {
        match replaced(&expanded.text, &entities, xml.len() + MAX_ADDED) {
            Some(next) => expanded.text = Cow::Owned(next),
            None => break,
        }
    }
    let is_left = expanded.text.split('&').skip(1).any(|after| reference(after, &entities).is_some());
    expanded.is_cut = is_left || declarations.matches(DECLARATION).nth(MAX_ENTITIES).is_some();
    expanded
}

const DECLARATION: &str = "<!ENTITY";

/// `<!ENTITY name "text">`, within other entities too.
fn declared(xml: &str) -> impl Iterator<Item = Entity<'_>> {
    xml.split(DECLARATION).skip(1).take(MAX_ENTITIES).filter_map(|declaration| {
        let (name, rest) =
            declaration.trim_start_matches([' ', '\t', '\r', '\n', '%']).split_once(char::is_whitespace)?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (text, _) = rest.get(1..)?.split_once(quote)?;
        Some(Entity { name, text })
    })
}

/// `None` when there is nothing left to replace.
fn replaced(text: &str, entities: &[Entity<'_>], most: usize) -> Option<String> {
    let (mut replaced, mut rest, mut is_same) = (String::with_capacity(text.len()), text, true);
    while let Some((before, after)) = rest.split_once('&') {
        replaced.push_str(before);
        rest = after;
        let found = reference(after, entities).filter(|(text, _)| replaced.len() + text.len() + after.len() <= most);
        match found {
            Some((text, length)) => {
                replaced.push_str(text);
                rest = after.get(length..).unwrap_or_default();
                is_same = false;
            }
            None => replaced.push('&'),
        }
    }
    (!is_same).then(|| replaced + rest)
}

/// What the reference stands for, and how long it is.
fn reference<'e>(text: &str, entities: &'e [Entity<'_>]) -> Option<(&'e str, usize)> {
    /// Names that are longer are none that anybody writes.
    const MOST: usize = 100;
    let end = text.bytes().take(MOST).position(|octet| octet == b';')?;
    let name = text.get(..end)?;
    entities.iter().find(|entity| entity.name == name).map(|entity| (entity.text, end + 1))
}

/// How long the declaration is that begins with `text`, the declarations in it included.
pub(super) fn declaration_length(text: &str) -> Option<usize> {
    let (mut rest, mut is_inside) = (text, false);
    loop {
        let at = rest.find(['"', '\'', '[', ']', '<', '>'])?;
        let mark = rest.get(at..)?;
        let end = match mark.chars().next()? {
            '>' if !is_inside => return Some(text.len() - mark.len() + 1),
            quote @ ('"' | '\'') => 2 + mark.get(1..)?.find(quote)?,
            '<' if mark.starts_with("<!--") => 3 + mark.find("-->")?,
            '<' if mark.starts_with("<?") => 2 + mark.find("?>")?,
            '[' => {
                is_inside = true;
                1
            }
            ']' => {
                is_inside = false;
                1
            }
            _ => 1,
        };
        rest = mark.get(end..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_what_it_stands_for() {
        for (declarations, text, expected) in [
            ("<!ENTITY a '<b/>'>", "x&a;y&c;", "x<b/>y&c;"),
            ("<!ENTITY a \"&#60;b/>\">", "&a;", "<b/>"),
            ("<!ENTITY a '&b;'><!ENTITY b 'c'>", "&a;", "c"),
            ("<!ENTITY % p \"<!ENTITY a 'b'>\">%p;", "&a;", "b"),
            ("", "&a;", "&a;"),
        ] {
            let xml = format!("<!DOCTYPE x [{declarations}]><x>{text}</x>");
            let Expanded { text: whole, is_cut } = expanded(&xml);
            assert!(whole.ends_with(&format!("<x>{expected}</x>")) && !is_cut, "{declarations}: {whole}");
        }
    }

    #[test]
    fn entities_that_stand_for_each_other_have_an_end() {
        let many = "&a;".repeat(1000);
        let xml = format!("<!DOCTYPE x [<!ENTITY a '{many}'>]><x>{many}</x>");
        let Expanded { text, is_cut } = expanded(&xml);
        assert!(is_cut && text.len() <= xml.len() + MAX_ADDED);
    }

    #[test]
    fn what_is_deeper_or_later_than_is_read_is_told() {
        let deep: String = (0..MAX_NESTING).map(|n| format!("<!ENTITY a{n} '&a{};'>", n + 1)).collect();
        let late: String = (0..MAX_ENTITIES).map(|n| format!("<!ENTITY b{n} ''>")).collect();
        for declarations in [format!("{deep}<!ENTITY a{MAX_NESTING} '<b/>'>"), format!("{late}<!ENTITY a0 '<b/>'>")] {
            let xml = format!("<!DOCTYPE x [{declarations}]><x>&a0;</x>");
            assert!(expanded(&xml).is_cut, "{xml}");
        }
    }

    #[test]
    fn a_declaration_ends_behind_those_in_it() {
        for (text, expected) in [
            ("!DOCTYPE svg><a>", Some("!DOCTYPE svg>")),
            ("!DOCTYPE svg [<!ENTITY a '>]>'>]><b>", Some("!DOCTYPE svg [<!ENTITY a '>]>'>]>")),
            ("!DOCTYPE svg [<!-- it's ]> --><?a '?>]><b>", Some("!DOCTYPE svg [<!-- it's ]> --><?a '?>]>")),
            ("!DOCTYPE svg [", None),
        ] {
            assert_eq!(declaration_length(text).and_then(|end| text.get(..end)), expected, "{text}");
        }
    }
}
