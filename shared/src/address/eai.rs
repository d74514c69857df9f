//! Which internationalized local-parts a person can read and type (RFC 6531 leaves it open; RFC 8264, RFC 5893, UTS 51).

use icu_properties::props::{
    BidiClass, CanonicalCombiningClass, DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory,
    GeneralCategoryGroup, JoiningType, RegionalIndicator,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Marks on one letter: Indic scripts have three.
const MOST_MARKS: usize = 3;

/// Whether a non-ASCII character is an emoji or a part of one; `#`, `*` and digits are not.
pub(super) fn is_emoji(c: char) -> bool {
    !c.is_ascii()
        && (CodePointSetData::new::<ExtendedPictographic>().contains(c)
            || CodePointSetData::new::<RegionalIndicator>().contains(c)
            || matches!(c, '\u{20e3}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'))
}

/// Whether Unicode has not assigned a code point; noncharacters never will be.
pub(super) fn is_unassigned(c: char) -> bool {
    category(c) == GeneralCategory::Unassigned
}

/// The first character of a dot-separated piece that cannot be seen, or that attaches to the dot before it.
pub(super) fn first_unsafe(piece: &str) -> Option<char> {
    let leading_mark = piece.chars().next().filter(|&c| GeneralCategoryGroup::Mark.contains(category(c)));
    // What a decoder puts in place of octets that it could not read names nobody.
    let undecodable = || piece.chars().find(|&c| c == char::REPLACEMENT_CHARACTER);
    leading_mark.or_else(|| first_invisible(piece)).or_else(undecodable).or_else(|| first_overlay(piece))
}

/// The first mark that strikes a letter through, or that is one too many on it.
fn first_overlay(piece: &str) -> Option<char> {
    let mut marks = 0;
    piece.chars().find(|&c| {
        marks = if GeneralCategoryGroup::Mark.contains(category(c)) { marks + 1 } else { 0 };
        MOST_MARKS < marks || matches!(c, '\u{332}'..='\u{338}' | '\u{20d2}'..='\u{20ea}')
    })
}

/// Whether a character shows nothing of its own, or means something only to one vendor. The empty Braille cell is a symbol,
/// and blank.
pub(super) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    let is_ignorable = || c == '\u{2800}' || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    is_ignorable()
        || matches!(
            category(c),
            GeneralCategory::SpaceSeparator
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::PrivateUse
                | GeneralCategory::Surrogate
        )
}

/// Whether a dot-separated piece breaks the Bidi rule, read as a label (RFC 5893 §2).
pub(super) fn breaks_bidi_rule(piece: &str) -> bool {
    let classes = || piece.chars().map(|c| CodePointMapData::<BidiClass>::new().get(c));
    let right_to_left = |class| matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter);
    if !classes().any(|class| right_to_left(class) || class == BidiClass::ArabicNumber) {
        return false;
    }
    let starts_right_to_left = classes().next().is_some_and(right_to_left);
    let ends_well = classes().rfind(|&class| class != BidiClass::NonspacingMark).is_some_and(|class| {
        right_to_left(class) || matches!(class, BidiClass::EuropeanNumber | BidiClass::ArabicNumber)
    });
    let has_left_to_right = classes().any(|class| class == BidiClass::LeftToRight);
    let both_digits = classes().any(|class| class == BidiClass::EuropeanNumber)
        && classes().any(|class| class == BidiClass::ArabicNumber);
    !starts_right_to_left || !ends_well || has_left_to_right || both_digits
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn first_invisible(piece: &str) -> Option<char> {
    let mut before = None;
    let mut rest = piece.chars();
    while let Some(c) = rest.next() {
        if is_invisible(c) && !may_join(c, before, rest.clone().next()) {
            return Some(c);
        }
        before = Some(c);
    }
    None
}

/// The contexts in which a joiner changes what is read (RFC 5892 appendices A.1 and A.2).
fn may_join(c: char, before: Option<char>, after: Option<char>) -> bool {
    let virama = |c| CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama;
    let joining = |c| CodePointMapData::<JoiningType>::new().get(c);
    let joins_on = |c| matches!(joining(c), JoiningType::DualJoining | JoiningType::LeftJoining);
    let joins_back = |c| matches!(joining(c), JoiningType::DualJoining | JoiningType::RightJoining);
    match c {
        '\u{200c}' => before.is_some_and(virama) || (before.is_some_and(joins_on) && after.is_some_and(joins_back)),
        '\u{200d}' => before.is_some_and(virama),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_told_from_letters_and_digits() {
        for (c, expected) in
            [('💩', true), ('❤', true), ('🇩', true), ('9', false), ('#', false), ('é', false), ('漢', false)]
        {
            assert_eq!(is_emoji(c), expected, "{c}");
        }
    }

    #[test]
    fn unassigned_code_points_are_found() {
        for (c, expected) in [('\u{10fdef}', false), ('\u{fdef}', true), ('\u{378}', true), ('a', false)] {
            assert_eq!(is_unassigned(c), expected, "{c:?}");
        }
    }

    #[test]
    fn invisible_characters_are_unsafe_except_joiners_in_context() {
        for (piece, expected) in [
            ("квіточка", None),
            ("\u{200b}a", Some('\u{200b}')),
            ("a\u{a0}b", Some('\u{a0}')),
            ("a\u{202e}b", Some('\u{202e}')),
            ("a\u{e000}", Some('\u{e000}')),
            ("a\u{200d}b", Some('\u{200d}')),
            ("\u{301}a", Some('\u{301}')),
            ("a\u{3164}", Some('\u{3164}')),
            ("a\u{2800}b", Some('\u{2800}')),
            ("a\u{34f}nn", Some('\u{34f}')),
            ("ann\u{fe0e}", Some('\u{fe0e}')),
            ("admin\u{332}", Some('\u{332}')),
            ("a\u{338}nn", Some('\u{338}')),
            ("z\u{301}\u{302}\u{303}\u{304}", Some('\u{304}')),
            ("ज\u{93c}\u{93f}\u{902}", None),
            ("क\u{94d}\u{200d}ष", None),
            ("\u{646}\u{627}\u{645}\u{647}\u{200c}\u{627}\u{6cc}", None),
        ] {
            assert_eq!(first_unsafe(piece), expected, "{piece:?}");
        }
    }

    #[test]
    fn a_piece_has_one_writing_direction() {
        for (piece, breaks) in [
            ("ann", false),
            ("דוד", false),
            ("דוד1", false),
            ("1דוד", true),
            ("annדוד", true),
            ("דודann", true),
            ("مثال", false),
            ("مثال1٢", true),
        ] {
            assert_eq!(breaks_bidi_rule(piece), breaks, "{piece}");
        }
    }
}
