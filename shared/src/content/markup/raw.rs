//! Where text ends that is no markup, whatever looks like a tag in it (WHATWG HTML §13.2.5.3 to §13.2.5.31).

use memchr::{memchr2, memmem};

use super::is_name;

/// Where the end tag of the element begins, or where the text ends.
pub(super) fn end(text: &str, element: &str) -> usize {
    let mut ends = memmem::find_iter(text.as_bytes(), b"</");
    ends.find(|at| is_end_tag(text.get(*at..).unwrap_or_default(), element)).unwrap_or(text.len())
}

/// Within `<!--` a script may hold the tags of another one, whose end is not its own. `None` when it never ends.
pub(super) fn end_of_script(text: &str) -> Option<usize> {
    let (mut within, mut from) = (Within::Script, 0);
    loop {
        let at = from + memchr2(b'<', b'-', text.as_bytes().get(from..)?)?;
        let here = text.get(at..)?;
        let is_end = is_end_tag(here, "script");
        let length;
        (within, length) = match within {
            Within::Script | Within::Comment if is_end => return Some(at),
            // Its own dashes may end it: `<!-->`.
            Within::Script if here.starts_with("<!--") => (Within::Comment, 2),
            Within::Comment | Within::ScriptInComment if here.starts_with("-->") => (Within::Script, 3),
            Within::Comment if is_tag(here, "<", "script") => (Within::ScriptInComment, 1),
            Within::ScriptInComment if is_end => (Within::Comment, 1),
            Within::Script | Within::Comment | Within::ScriptInComment => (within, 1),
        };
        from = at + length;
    }
}

enum Within {
    Script,
    Comment,
    ScriptInComment,
}

fn is_end_tag(text: &str, element: &str) -> bool {
    is_tag(text, "</", element)
}

fn is_tag(text: &str, mark: &str, element: &str) -> bool {
    let Some(after) = text.strip_prefix(mark) else { return false };
    let is_named = after.get(..element.len()).is_some_and(|name| name.eq_ignore_ascii_case(element));
    is_named && after.get(element.len()..).is_some_and(|rest| !rest.starts_with(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_ends_where_a_browser_ends_it() {
        for (text, expected) in [
            ("a</script>b", Some("a")),
            ("a</scripts></SCRIPT >b", Some("a</scripts>")),
            ("<!-- a </script>b", Some("<!-- a ")),
            ("<!-- <script> </script> a </script>b", Some("<!-- <script> </script> a ")),
            ("<!-- <script> </script> --> a </script>b", Some("<!-- <script> </script> --> a ")),
            ("<!--><script></script>b", Some("<!--><script>")),
            ("<!---><script></script>b", Some("<!---><script>")),
            ("<!-- <script> --></script>b", Some("<!-- <script> -->")),
            ("<!-- <scripts> </script>b", Some("<!-- <scripts> ")),
            ("<!-- <script> </script>b", None),
            ("a", None),
        ] {
            assert_eq!(end_of_script(text).and_then(|end| text.get(..end)), expected, "{text}");
        }
    }
}
