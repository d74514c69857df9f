//! Text that tries to be more than an address: line breaks that would end a header field or an SMTP command, and code for
//! whoever puts an address into a query, a template, a shell or a page.
//!
//! An address may have apostrophes, braces and backticks: what is looked for is what surrounds them.

use crate::encoded_word;

/// Separators that database servers read as white space, plain, commented or encoded.
const SEPARATORS: [&str; 5] = ["/**/", "%20", "%09", "+", " "];

/// Words that follow an apostrophe in SQL, and nothing that a name goes on with.
const AFTER_APOSTROPHE: [&str; 12] =
    ["or", "and", "union", "having", "group by", "order by", "like", "is null", "in", "exists", "limit", "waitfor"];

/// SQL statements, with one space for each separator.
const STATEMENTS: [&str; 11] = [
    "union select",
    "union all select",
    "drop table",
    "drop database",
    "insert into",
    "delete from",
    "waitfor delay",
    "benchmark(",
    "sleep(",
    "xp_cmdshell",
    "information_schema",
];

/// One of these is in every fragment of SQL that is looked for.
const SQL_WORDS: [&str; 11] =
    ["'", "union", "drop", "insert", "delete", "waitfor", "benchmark(", "sleep(", "xp_cmdshell", "_schema", ";"];

/// What template languages and loggers evaluate.
const TEMPLATES: [&str; 8] = ["{{", "${", "#{", "%{", "{%", "<%", "@{", "[["];

/// What shells run, and where they would find it.
const SHELL: [&str; 9] = ["$(", "&&", "||", "|/", ">/", "</", "../", "|sh", ";/"];

/// What a page would run.
const MARKUP: [&str; 6] = ["<script", "<img", "<svg", "<iframe", "javascript:", "onerror="];

/// The first control character or Unicode line break, which no mailbox contains (RFC 5321 §4.1.2).
pub(super) fn first_control(text: &str) -> Option<char> {
    if text.is_ascii() {
        return text.bytes().find(u8::is_ascii_control).map(char::from);
    }
    text.chars().find(|&c| is_control(c))
}

/// Whether a character is a control character, C1 included, or a line or paragraph separator.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Octets that some kind of code or escape cannot do without. An apostrophe alone is not enough for any.
const SUSPICIOUS: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest = b"'\"`{$#;|&<(/%[:\\=?".as_slice();
    while let [octet, tail @ ..] = rest {
        table[*octet as usize] = true;
        rest = tail;
    }
    table
};

/// Whether the text can hold an escape or code at all: one pass, and the end of it for nearly every address. SQL without
/// any of the octets is told by its words.
pub(super) fn is_suspicious(text: &str) -> bool {
    text.bytes().any(|octet| SUSPICIOUS.get(usize::from(octet)).is_some_and(|&found| found))
        || (text.contains(['+', ' ', '_']) && is_sql(&text.to_ascii_lowercase()))
}

/// Whether a decoder would find CR or LF: of percent-encoding (RFC 3986 §2.1), once or twice; of encoded words (RFC 2047);
/// of the escapes of programming languages and of HTML.
pub(super) fn has_encoded_line_break(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let escapes = [
        "%0a",
        "%0d",
        "%250a",
        "%250d",
        "\\r",
        "\\n",
        "\\x0a",
        "\\x0d",
        "\\u000a",
        "\\u000d",
        "%e5%98%8a",
        "%e5%98%8d",
    ];
    let entities = ["&#10", "&#13", "&#x0a", "&#x0d", "&#xa", "&#xd", "&newline"];
    escapes.iter().chain(&entities).any(|escape| lower.contains(escape)) || in_encoded_word(text)
}

/// What kind of code the text has a fragment of.
pub(super) fn pattern(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let has = |fragments: &[&str]| fragments.iter().any(|fragment| lower.contains(fragment));
    if is_sql(&lower) {
        return Some("a fragment of SQL");
    }
    if has(&TEMPLATES) {
        return Some("a template expression");
    }
    if has(&MARKUP) {
        return Some("markup that runs");
    }
    let is_shell = has(&SHELL) || is_substitution(&lower) || is_command(&lower);
    is_shell.then_some("a shell command or a path")
}

fn in_encoded_word(text: &str) -> bool {
    text.contains("=?") && encoded_word::decoded(text).contains(['\r', '\n'])
}

/// Expects lower case.
fn is_sql(text: &str) -> bool {
    if !SQL_WORDS.iter().any(|word| text.contains(word)) {
        return false;
    }
    let spaced = SEPARATORS.iter().fold(text.to_owned(), |text, separator| text.replace(separator, " "));
    let spaced = spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    STATEMENTS.iter().any(|statement| spaced.contains(statement)) || spaced.split('\'').skip(1).any(ends_a_literal)
}

/// Whether what follows an apostrophe goes on with a query: an operator, a comment, the end of a statement.
fn ends_a_literal(rest: &str) -> bool {
    let rest = rest.trim_start();
    let is_symbol = ["--", "#", ";", "||", "=", ")", "/*", "&&"].iter().any(|symbol| rest.starts_with(symbol));
    let goes_on = |after: &str| {
        after.starts_with(|c: char| c.is_ascii_digit() || c == ' ' || c == '(' || c == '!')
            || after.is_empty() && rest.len() < 4
    };
    is_symbol || AFTER_APOSTROPHE.iter().filter_map(|word| rest.strip_prefix(word)).any(goes_on)
}

/// A word between backticks.
fn is_substitution(text: &str) -> bool {
    let mut between = text.split('`').skip(1);
    let last = text.matches('`').count().saturating_sub(1);
    between.by_ref().take(last).any(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// A semicolon and a word, as a second command; entities of HTML end with one.
fn is_command(text: &str) -> bool {
    text.split(';').skip(1).any(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_are_found_plain_and_encoded() {
        for (text, control, encoded) in [
            ("ann@example.com", None, false),
            ("ann@example.com\r\nBcc: x@example.com", Some('\r'), false),
            ("a\tb@example.com", Some('\t'), false),
            ("a\0b@example.com", Some('\0'), false),
            ("a\u{85}b@example.com", Some('\u{85}'), false),
            ("a\u{2028}b@example.com", Some('\u{2028}'), false),
            ("ann%0Abcc@example.com", None, true),
            ("ann%0dbcc@example.com", None, true),
            ("ann%250abcc@example.com", None, true),
            ("ann\\r\\nbcc@example.com", None, true),
            ("ann&#x0A;bcc@example.com", None, true),
            ("=?utf-8?q?ann=0Abcc?=@example.com", None, true),
            ("=?utf-8?b?YW5uDQpiY2M=?=@example.com", None, true),
            ("=?utf-8?q?ann?=@example.com", None, false),
            ("a&b@example.com", None, false),
            ("100%0@example.com", None, false),
        ] {
            assert_eq!((first_control(text), has_encoded_line_break(text)), (control, encoded), "{text:?}");
        }
    }

    #[test]
    fn code_is_told_by_its_kind() {
        for (text, expected) in [
            ("'or'1'='1@example.com", "a fragment of SQL"),
            ("admin'--@example.com", "a fragment of SQL"),
            ("a'/**/or/**/1=1@example.com", "a fragment of SQL"),
            ("a'+union+select+1@example.com", "a fragment of SQL"),
            ("\"' or 1=1 --\"@example.com", "a fragment of SQL"),
            ("x';drop table users@example.com", "a fragment of SQL"),
            ("{{7*7}}@example.com", "a template expression"),
            ("${jndi:ldap://x}@example.com", "a template expression"),
            ("#{7*7}@example.com", "a template expression"),
            ("\"<script>alert(1)</script>\"@example.com", "markup that runs"),
            ("`id`@example.com", "a shell command or a path"),
            ("$(id)@example.com", "a shell command or a path"),
            ("a;id@example.com", "a shell command or a path"),
            ("a||id@example.com", "a shell command or a path"),
            ("../../etc/passwd@example.com", "a shell command or a path"),
        ] {
            assert_eq!((is_suspicious(text), pattern(text)), (true, Some(expected)), "{text}");
        }
    }

    #[test]
    fn characters_that_names_have_are_no_code() {
        for text in [
            "o'brien@example.com",
            "o'reilly@example.com",
            "d'andrea@example.com",
            "o'ormond@example.com",
            "mc'union@example.com",
            "ann'@example.com",
            "d'@example.com",
            "o'hara-o'neil@example.com",
            "ann+news@example.com",
            "ann+or+bob@example.com",
            "a&b@example.com",
            "rock'n'roll@example.com",
            "!#$%&'*+-/=?^_`{|}~@example.com",
            "!#$%&`*+/=?^`{|}~@example.com",
            "customer/department=shipping@example.com",
            "$A12345@example.com",
            "_somename@example.com",
            "selection+union@example.com",
        ] {
            assert_eq!(pattern(text), None, "{text}");
        }
    }
}
