use super::*;
use proptest::prelude::*;

/// Each piece as a text that is easy to compare.
fn pieces_of(text: &str, reading: Reading) -> Vec<String> {
    let shown = |piece: Piece<'_>| match piece {
        Piece::Open(tag) => {
            let attributes = tag.attributes().map(|(name, value)| format!(" {name}={value}"));
            let slash = if tag.is_empty { "/" } else { "" };
            format!("<{}{}{slash}>", tag.name, attributes.collect::<String>())
        }
        Piece::Close(name) => format!("</{name}>"),
        Piece::Text(text) => text.to_owned(),
        Piece::Raw(element, text) => format!("{element}: {text}"),
        Piece::Comment(text) => format!("<!{text}>"),
    };
    Pieces::of(text, reading).map(shown).collect()
}

#[test]
fn markup_is_cut_as_a_browser_cuts_it() {
    for (html, expected) in [
        ("<A HREF=x>y</A>", &["<a href=x>", "y", "</a>"][..]),
        ("<a href = 'x y'\ntitle=\"a>b\" b>", &["<a href=x y title=a>b b=>"]),
        ("<a/href=x/y>", &["<a href=x/y>"]),
        ("<a href=\"x\"href2=y>", &["<a href=x href2=y>"]),
        ("<a href=&#106;s>", &["<a href=js>"]),
        ("1 < 2 <3", &["1 ", "< 2 ", "<3"]),
        ("<!-- a --><b>", &["<! a >", "<b>"]),
        ("<!--> <b> --!>", &["<!>", " ", "<b>", " --!>"]),
        ("<!-- a --!><b>", &["<! a >", "<b>"]),
        ("<!doctype html><?php x?>", &["<!doctype html>", "<!php x?>"]),
        ("<script>if (a<b) '</scriptx'</script >c", &["<script>", "script: if (a<b) '</scriptx'", "</script>", "c"]),
        ("<style>a</style>", &["<style>", "style: a", "</style>"]),
        ("<a href=x", &[]),
        ("</ a><b", &["<! a>"]),
        ("</p a='>'><b>", &["</p>", "<b>"]),
        ("<style/><b></style>", &["<style>", "style: <b>", "</style>"]),
        ("<noscript><b></noscript>", &["<noscript>", "noscript: <b>", "</noscript>"]),
        ("<plaintext><b></plaintext>", &["<plaintext>", "plaintext: <b></plaintext>"]),
        ("<script><!--<script></script></script>a", &["<script>", "script: <!--<script></script>", "</script>", "a"]),
        ("<script><!--<script></script>a", &["<script>", "script: <!--<script>", "</script>", "a"]),
    ] {
        assert_eq!(pieces_of(html, Reading::Browser), expected, "{html}");
    }
}

#[test]
fn drawings_and_formulas_have_rules_of_their_own() {
    for (html, expected) in [
        ("<svg><style><b/>", &["<svg>", "<style>", "<b>"][..]),
        ("<svg><style/><a>", &["<svg>", "<style/>", "<a>"]),
        ("<svg><style><a></style>", &["<svg>", "<style>", "<a>", "</style>"]),
        ("<svg/><style><a>", &["<svg/>", "<style>", "style: <a>"]),
        ("<svg></svg><style><a>", &["<svg>", "</svg>", "<style>", "style: <a>"]),
        ("<svg><p><style><a>", &["<svg>", "<p>", "<style>", "style: <a>"]),
        ("<svg></p><style><a>", &["<svg>", "</p>", "<style>", "style: <a>"]),
        ("<svg><foreignObject><style><a>", &["<svg>", "<foreignobject>", "<style>", "style: <a>"]),
        ("<svg><font><style><a>", &["<svg>", "<font>", "<style>", "<a>"]),
        ("<svg><font color=a><style><a>", &["<svg>", "<font color=a>", "<style>", "style: <a>"]),
        ("<math><mtext><style><a>", &["<math>", "<mtext>", "<style>", "style: <a>"]),
        ("<math><style><a>", &["<math>", "<style>", "<a>"]),
        ("<svg><![CDATA[><a>]]><g>", &["<svg>", "><a>", "<g>"]),
        ("<![CDATA[><a>]]>", &["<![CDATA[>", "<a>", "]]>"]),
    ] {
        assert_eq!(pieces_of(html, Reading::Browser), expected, "{html}");
    }
}

#[test]
fn xml_has_neither_raw_text_nor_forgiving_comments() {
    for (xml, expected) in [
        ("<style><a/></style>", &["<style>", "<a/>", "</style>"][..]),
        ("<!--> <a/> --><b/>", &["<!> <a/> >", "<b/>"]),
        ("<?a ><b/>?><c/>", &["<!<?a ><b/>>", "<c/>"]),
        ("<![CDATA[<a/>]]>", &["<a/>"]),
        ("<!DOCTYPE a [<!ENTITY b '><c'>]><e/>", &["<!<!DOCTYPE a [<!ENTITY b '><c'>]>>", "<e/>"]),
    ] {
        assert_eq!(pieces_of(xml, Reading::Xml), expected, "{xml}");
    }
}

#[test]
fn a_tag_that_has_more_attributes_than_are_read_says_so() {
    for (count, is_cut) in [(MAX_ATTRIBUTES, false), (MAX_ATTRIBUTES + 1, true)] {
        let html = format!("<a {}>", "b=c ".repeat(count));
        let Some(Piece::Open(tag)) = Pieces::of(&html, Reading::Browser).next() else { panic!("a tag") };
        assert_eq!((tag.attributes().count(), tag.is_cut), (MAX_ATTRIBUTES, is_cut));
    }
}

proptest! {
    #[test]
    fn any_text_is_cut_without_a_panic_and_without_end(
        html in "[<>/!?a-c =\"'\u{e9}-]{0,60}|(<script>|<svg>|<style/>|</svg>|</script>|<!--|-->|<!DOCTYPE|[<> a'\\[\\]]){0,30}",
    ) {
        use Reading::{Browser, Flat, Nested, WithoutScripts, Xml};
        for reading in [Browser, WithoutScripts, Flat, Nested, Xml] {
            prop_assert!(Pieces::of(&html, reading).count() <= html.len());
        }
    }
}
