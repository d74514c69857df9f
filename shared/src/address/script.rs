//! Mixed scripts and look-alikes (UTS 39).

use unicode_security::confusable_detection::skeleton;
use unicode_security::mixed_script::AugmentedScriptSet;

/// Whether a text mixes scripts beyond the "moderately restrictive" level (UTS 39 §5.2): one script (where Japanese,
/// Korean and Han with Bopomofo count as one), or one script and Latin, unless it is one that is easily mistaken for Latin.
pub(super) fn is_mixed(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let resolved = |keep: fn(char) -> bool| {
        text.chars().filter(|&c| keep(c)).fold(AugmentedScriptSet::default(), |mut set, c| {
            set.intersect_with(c.into());
            set
        })
    };
    if !resolved(|_| true).is_empty() {
        return false;
    }
    resolved(|c| !is_latin(c)).is_empty() || text.chars().any(is_like_latin)
}

/// What a label reads as, when each of its non-ASCII characters passes for one ASCII character.
///
/// Letters with marks (`é`) and ligatures (`æ`) pass for nothing, so that ordinary words are left alone.
pub(super) fn ascii_look_alike(label: &str) -> Option<String> {
    if label.is_ascii() {
        return None;
    }
    label.chars().map(ascii_twin).collect()
}

fn ascii_twin(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c);
    }
    let mut buffer = [0; 4];
    let mut prototype = skeleton(c.encode_utf8(&mut buffer));
    let twin = prototype.next().filter(char::is_ascii)?;
    prototype.next().is_none().then_some(twin)
}

fn scripts(c: char) -> AugmentedScriptSet {
    AugmentedScriptSet::for_char(c)
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || (!scripts(c).is_all() && is_written_in(c, "a"))
}

fn is_like_latin(c: char) -> bool {
    !c.is_ascii() && !scripts(c).is_all() && ["а", "α", "Ꭰ"].iter().any(|sample| is_written_in(c, sample))
}

/// Whether a character belongs to the script of a sample letter.
fn is_written_in(c: char, sample: &str) -> bool {
    let mut shared = scripts(c);
    shared.intersect_with(AugmentedScriptSet::for_str(sample));
    !shared.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_no_language_mixes_are_mixed() {
        for (text, expected) in [
            ("ann", false),
            ("jürgen1", false),
            ("二ノ宮", false),
            ("測試abc", false),
            ("hans.m端ller", false),
            ("정민kim", false),
            ("user-उदाहरण", false),
            ("pаypal", true),
            ("αdmin", true),
            ("иванκ", true),
            ("дом漢", true),
            ("квіточка!", false),
        ] {
            assert_eq!(is_mixed(text), expected, "{text}");
        }
    }

    #[test]
    fn a_label_of_foreign_letters_may_read_as_ascii() {
        for (label, expected) in [
            ("аррӏе", Some("apple")),
            ("gmaıl", Some("gmail")),
            ("apple", None),
            ("bücher", None),
            ("skægdame", None),
            ("пошта", None),
        ] {
            assert_eq!(ascii_look_alike(label).as_deref(), expected, "{label}");
        }
    }
}
