//! The author of a message: the one mailbox of its one From field (RFC 5322 §3.6.2, RFC 6532 §3).
//!
//! Authentication says which domain a message comes from; that helps only if it is the domain a reader sees. So a From
//! field that two readers could understand differently has no author here, however sensible one of the readings is.

#![expect(
    clippy::indexing_slicing,
    reason = "offsets come from a scan of the same slice, and property tests feed any octets"
)]

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::author_fault::AuthorFault;
use crate::display_name::{is_at_sign, shown_domains};
use crate::encoded_word;
use crate::header_section::HeaderSection;

/// Octets of a From value, folding included. Attacks pad display names to a few kB, honest mail stays far below.
pub const MAX_FROM_OCTETS: usize = 32 * 1024;

/// Who wrote the message, as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Encoded words decoded (RFC 2047), quotes removed, comments included: mail programs show those too.
    pub display_name: Option<String>,
    /// Without quotes; never holds `@`, angle brackets, control or invisible characters.
    pub local_part: String,
    /// Lower-case A-labels, at least two, no trailing dot (RFC 5890 §2.3.2.1).
    pub domain: String,
}

impl Author {
    /// # Errors
    /// The first ambiguity found. Linear in the From field.
    pub fn of(section: &HeaderSection) -> Result<Self, AuthorFault> {
        if let Some(&fault) = section.faults.iter().find(|fault| fault.blurs_fields()) {
            return Err(AuthorFault::HeaderSection(fault));
        }
        let mut from_fields = section.fields_named("From");
        let from = from_fields.next().ok_or(AuthorFault::Missing)?;
        match from_fields.next() {
            Some(_) => Err(AuthorFault::SeveralFromFields),
            None => Self::parse(from.value),
        }
    }

    /// Reads the value of a From field, folding included.
    ///
    /// # Errors
    /// The first ambiguity found.
    pub fn parse(value: &[u8]) -> Result<Self, AuthorFault> {
        let text = unfolded(value)?;
        let tokens = tokens(&text)?;
        let shape = Shape::of(&tokens)?;
        let (local_part, domain) = addr_spec(shape.address)?;
        let author = Self { display_name: shape.display_name()?, local_part, domain };
        if author.hides_behind_another_address() {
            return Err(AuthorFault::AngleAddressInDisplayName);
        }
        Ok(author)
    }

    /// Readers that look for the first angle bracket find one in a quoted, encoded or commented `<a@b.example>` too.
    fn hides_behind_another_address(&self) -> bool {
        let name = self.display_name.as_deref().unwrap_or_default();
        name.contains(['<', '>']) && shown_domains(name).iter().any(|domain| *domain != self.domain)
    }
}

/// A lexical token (RFC 5322 §3.2), with dots and UTF-8 part of words (§4.1 phrases, RFC 6532).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    Space,
    Comment(String),
    Word(&'a str),
    Quoted(String),
    Special(char),
}

/// A From value taken apart: `before <address> after`, or a bare address with comments around it.
struct Shape<'t> {
    before: &'t [Token<'t>],
    address: &'t [Token<'t>],
    after: &'t [Token<'t>],
}

impl<'t> Shape<'t> {
    fn of(tokens: &'t [Token<'t>]) -> Result<Self, AuthorFault> {
        if tokens.windows(2).any(|pair| pair == [Token::Special('@'), Token::Special('[')]) {
            return Err(AuthorFault::IpLiteral);
        }
        match position(tokens, '<') {
            Some(open) => Self::angle_addr(tokens, open),
            None => Ok(Self::bare(tokens)),
        }
    }

    fn bare(tokens: &'t [Token<'t>]) -> Self {
        let start = tokens.iter().position(|token| !token.is_cfws()).unwrap_or(tokens.len());
        let end = tokens.iter().rposition(|token| !token.is_cfws()).map_or(start, |last| last + 1);
        Self { before: &tokens[..start], address: &tokens[start..end], after: &tokens[end..] }
    }

    fn angle_addr(tokens: &'t [Token<'t>], open: usize) -> Result<Self, AuthorFault> {
        let (before, inside) = (&tokens[..open], &tokens[open + 1..]);
        let close = position(inside, '>').ok_or(AuthorFault::Unparseable)?;
        let (address, after) = (&inside[..close], &inside[close + 1..]);
        refuse_separators(before)?;
        refuse_separators(after)?;
        if position(address, '<').is_some() {
            return Err(AuthorFault::NestedAngleAddress);
        }
        if position(after, '<').is_some() {
            return Err(AuthorFault::SeveralAngleAddresses);
        }
        if !after.iter().all(Token::is_cfws) {
            return Err(AuthorFault::TextAfterAddress);
        }
        if before.iter().any(Token::shows_an_at_sign) {
            return Err(AuthorFault::AddressAsDisplayName);
        }
        if before.iter().any(|token| matches!(token, Token::Special(_))) {
            return Err(AuthorFault::Unparseable);
        }
        Ok(Self { before, address: without_spaces_around(address), after })
    }

    fn display_name(&self) -> Result<Option<String>, AuthorFault> {
        let mut name = String::new();
        for token in self.before.iter().chain(self.after) {
            match token {
                Token::Space => name.push(' '),
                Token::Word(text) => name.push_str(text),
                Token::Quoted(text) | Token::Comment(text) => name.push_str(text),
                Token::Special(special) => name.push(*special),
            }
        }
        let name = encoded_word::decoded(name.trim());
        if name.contains(|c: char| c.is_control() && c != '\t') {
            return Err(AuthorFault::ControlCharacter);
        }
        Ok((!name.is_empty()).then_some(name))
    }
}

impl Token<'_> {
    fn is_cfws(&self) -> bool {
        matches!(self, Token::Space | Token::Comment(_))
    }

    fn shows_an_at_sign(&self) -> bool {
        match self {
            Token::Special(special) => is_at_sign(*special),
            Token::Word(text) => text.contains(is_at_sign),
            Token::Space | Token::Comment(_) | Token::Quoted(_) => false,
        }
    }
}

/// Without line ends (RFC 5322 §2.2.3): what is left of CR and LF then counts as control characters.
fn unfolded(value: &[u8]) -> Result<String, AuthorFault> {
    if MAX_FROM_OCTETS < value.len() {
        return Err(AuthorFault::TooLong);
    }
    let text = std::str::from_utf8(value).map_err(|_| AuthorFault::NotUtf8)?;
    let text = text.replace("\r\n", "").replace('\n', "");
    if text.contains(|c: char| c.is_control() && c != '\t') {
        return Err(AuthorFault::ControlCharacter);
    }
    Ok(text)
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, AuthorFault> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            ' ' | '\t' => (Token::Space, rest.len() - rest.trim_start_matches([' ', '\t']).len()),
            '"' => quoted_string(rest)?,
            '(' => comment(rest)?,
            _ if is_in_word(first) => {
                let length = rest.find(|c| !is_in_word(c)).unwrap_or(rest.len());
                (Token::Word(&rest[..length]), length)
            }
            special => (Token::Special(special), special.len_utf8()),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn quoted_string(text: &str) -> Result<(Token<'_>, usize), AuthorFault> {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Quoted(content), at + 1)),
            '\\' => content.push(characters.next().ok_or(AuthorFault::Unparseable)?.1),
            _ => content.push(character),
        }
    }
    Err(AuthorFault::Unparseable)
}

/// Comments nest (RFC 5322 §3.2.2); a counter does instead of recursion.
fn comment(text: &str) -> Result<(Token<'_>, usize), AuthorFault> {
    let mut content = String::new();
    let mut open = 1_usize;
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '(' => open += 1,
            ')' if open == 1 => return Ok((Token::Comment(content), at + 1)),
            ')' => open -= 1,
            _ => {}
        }
        match character {
            '\\' => content.push(characters.next().ok_or(AuthorFault::Unparseable)?.1),
            _ => content.push(character),
        }
    }
    Err(AuthorFault::Unparseable)
}

fn refuse_separators(tokens: &[Token]) -> Result<(), AuthorFault> {
    for (separator, fault) in
        [(':', AuthorFault::GroupSyntax), (',', AuthorFault::SeveralAddresses), (';', AuthorFault::SemicolonSeparator)]
    {
        if position(tokens, separator).is_some() {
            return Err(fault);
        }
    }
    Ok(())
}

/// Local-part and domain, with nothing between or inside them: RFC 5322 would allow comments and white space around
/// the `@`, and readers differ on them.
fn addr_spec(tokens: &[Token]) -> Result<(String, String), AuthorFault> {
    if tokens.is_empty() {
        return Err(AuthorFault::Empty);
    }
    if tokens[0] == Token::Special('@') && (position(tokens, ':').is_some() || position(tokens, ',').is_some()) {
        return Err(AuthorFault::SourceRoute);
    }
    refuse_separators(tokens)?;
    match tokens.iter().filter(|token| **token == Token::Special('@')).count() {
        0 => return Err(AuthorFault::NoAddress),
        1 => {}
        _ => return Err(AuthorFault::SeveralAtSigns),
    }
    for token in tokens {
        match token {
            Token::Comment(_) => return Err(AuthorFault::CommentInAddress),
            Token::Space => return Err(AuthorFault::WhiteSpaceInAddress),
            _ => {}
        }
    }
    match tokens {
        [local_part, Token::Special('@'), Token::Word(domain)] => Ok((local(local_part)?, domain_name(domain)?)),
        [_, Token::Special('@'), ..] => Err(AuthorFault::BadDomain),
        _ => Err(AuthorFault::BadLocalPart),
    }
}

fn local(token: &Token) -> Result<String, AuthorFault> {
    match token {
        Token::Word(text) if text.contains("=?") => Err(AuthorFault::EncodedWordInAddress),
        Token::Quoted(text) if text.contains("=?") => Err(AuthorFault::EncodedWordInAddress),
        Token::Quoted(text) if text.is_empty() || text.contains(hides_in_quotes) => Err(AuthorFault::QuotedLocalPart),
        Token::Quoted(text) => Ok(text.clone()),
        Token::Word(text) if text.contains(is_invisible) || text.contains(is_at_sign) => Err(AuthorFault::BadLocalPart),
        Token::Word(text) if text.split('.').any(str::is_empty) => Err(AuthorFault::BadLocalPart),
        Token::Word(text) => Ok((*text).to_owned()),
        Token::Space | Token::Comment(_) | Token::Special(_) => Err(AuthorFault::BadLocalPart),
    }
}

fn domain_name(text: &str) -> Result<String, AuthorFault> {
    if text.contains("=?") {
        return Err(AuthorFault::EncodedWordInAddress);
    }
    if text.ends_with('.') {
        return Err(AuthorFault::TrailingDot);
    }
    let domain = a_labels(&text.to_lowercase())?;
    if 253 < domain.len() || !domain.split('.').all(is_ldh_label) {
        return Err(AuthorFault::BadDomain);
    }
    match domain.rsplit_once('.') {
        None => Err(AuthorFault::SingleLabelDomain),
        Some((_, top)) if top.bytes().all(|octet| octet.is_ascii_digit()) => Err(AuthorFault::IpLiteral),
        Some(_) => Ok(domain),
    }
}

/// Each label must be an A-label, a U-label or plain LDH as it stands: a name that IDNA would first have to map
/// (full-width letters, ideographic dots, soft hyphens) looks different from the name that is then asked for.
fn a_labels(lower_case: &str) -> Result<String, AuthorFault> {
    if lower_case.is_ascii() && !lower_case.split('.').any(|label| label.starts_with("xn--")) {
        return Ok(lower_case.to_owned());
    }
    let ascii = Uts46::new()
        .to_ascii(lower_case.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| AuthorFault::UndecodableDomain)?;
    let (unicode, decoded) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    decoded.map_err(|_| AuthorFault::UndecodableDomain)?;
    let written: Vec<_> = lower_case.split('.').collect();
    let forms: Vec<_> = ascii.split('.').zip(unicode.split('.')).collect();
    let as_it_stands = written.len() == forms.len()
        && written.iter().zip(&forms).all(|(label, (a_label, u_label))| label == a_label || label == u_label);
    if as_it_stands { Ok(ascii.into_owned()) } else { Err(AuthorFault::UndecodableDomain) }
}

fn position(tokens: &[Token], special: char) -> Option<usize> {
    tokens.iter().position(|token| *token == Token::Special(special))
}

fn without_spaces_around<'t>(mut tokens: &'t [Token<'t>]) -> &'t [Token<'t>] {
    while let [Token::Space, rest @ ..] | [rest @ .., Token::Space] = tokens {
        tokens = rest;
    }
    tokens
}

/// RFC 5322 §3.4.1, `ldh-str` of RFC 5321 §4.1.2.
fn is_ldh_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `atext` of RFC 5322 §3.2.3 and RFC 6532 §3.2, and the dot.
fn is_in_word(character: char) -> bool {
    character.is_alphanumeric() || !character.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(character)
}

/// What makes a quoted local-part look like something else than a local-part.
fn hides_in_quotes(character: char) -> bool {
    is_at_sign(character) || "<>()[],;:\\\"".contains(character) || (character != ' ' && is_invisible(character))
}

/// White space, marks of direction, joiners and fillers: an address with one does not look like what it is.
fn is_invisible(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}'
    );
    is_format || character.is_whitespace() || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header_section::HeaderFault;
    use proptest::prelude::*;

    fn author(display_name: Option<&str>, local_part: &str, domain: &str) -> Author {
        Author {
            display_name: display_name.map(str::to_owned),
            local_part: local_part.to_owned(),
            domain: domain.to_owned(),
        }
    }

    #[test]
    fn every_ordinary_form_has_its_author() {
        for (value, expected) in [
            (" ann@example.com", author(None, "ann", "example.com")),
            (" <Ann@EXAMPLE.com>", author(None, "Ann", "example.com")),
            (" < ann@example.com >", author(None, "ann", "example.com")),
            (" Ann Lee <ann@example.com>", author(Some("Ann Lee"), "ann", "example.com")),
            (" John Q. Public <j@example.com>", author(Some("John Q. Public"), "j", "example.com")),
            (" \"Lee, Ann\" <ann@example.com>", author(Some("Lee, Ann"), "ann", "example.com")),
            (" \"Lee \\\"A\\\" <3\"<ann@example.com>", author(Some("Lee \"A\" <3"), "ann", "example.com")),
            (" Ann\r\n Lee\r\n\t<ann@example.com>", author(Some("Ann Lee"), "ann", "example.com")),
            (" Ann\n <ann@example.com>", author(Some("Ann"), "ann", "example.com")),
            (" ann@example.com (Ann (the) Lee)", author(Some("Ann (the) Lee"), "ann", "example.com")),
            (" (Sales) Ann <ann@example.com> (away)", author(Some("Sales Ann  away"), "ann", "example.com")),
            (" \"ann@example.com\" <ann@example.com>", author(Some("ann@example.com"), "ann", "example.com")),
            (" \"john doe\"@example.com", author(None, "john doe", "example.com")),
            (" <a+b=c.d@mail.example.co.uk>", author(None, "a+b=c.d", "mail.example.co.uk")),
            (" 用户 <用户@例え.example>", author(Some("用户"), "用户", "xn--r8jz45g.example")),
            (" <x@xn--r8jz45g.example>", author(None, "x", "xn--r8jz45g.example")),
            (" <x@BÜCHER.example>", author(None, "x", "xn--bcher-kva.example")),
            (" =?utf-8?q?Ren=C3=A9_=3C3?= <r@example.com>", author(Some("René <3"), "r", "example.com")),
            (" =?utf-8?B?TGVlLCA=?= =?utf-8*en?b?QW5u?= <a@example.com>", author(Some("Lee, Ann"), "a", "example.com")),
            (" =?iso-8859-1?Q?Jos=E9?= X <j@example.com>", author(Some("José X"), "j", "example.com")),
            (" =?shift_jis?Q?A=83A?= <j@example.com>", author(Some("A\u{fffd}A"), "j", "example.com")),
            (" =?x <j@example.com>", author(Some("=?x"), "j", "example.com")),
        ] {
            assert_eq!(Author::parse(value.as_bytes()), Ok(expected), "{value:?}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn whatever_could_be_read_in_two_ways_has_no_author() {
        use AuthorFault::*;
        for (value, expected) in [
            ("", Empty),
            (" <>", Empty),
            (" (only a comment)", Empty),
            (" bank.example Security Team", NoAddress),
            (" Team <bank.example>", NoAddress),
            (" =?utf-8?q?ceo=40bank.example?=", NoAddress),
            (" <x@evil.example>, <ceo@bank.example>", SeveralAddresses),
            (" Lee, Ann <ann@example.com>", SeveralAddresses),
            (" ceo@bank.example, x@evil.example", SeveralAddresses),
            (" <ceo@bank.example,x@evil.example>", SeveralAddresses),
            (" <x@evil.example>; <ceo@bank.example>", SemicolonSeparator),
            (" Staff: ceo@bank.example;", GroupSyntax),
            (" undisclosed-recipients:;", GroupSyntax),
            (" ceo@bank.example@evil.example", SeveralAtSigns),
            (" ceo@bank.example x@evil.example", SeveralAtSigns),
            (" <ceo@bank.example x@evil.example>", SeveralAtSigns),
            (" <ceo@bank.example> <x@evil.example>", SeveralAngleAddresses),
            (" <<ceo@bank.example>@evil.example>", NestedAngleAddress),
            (" <@evil.example:ceo@bank.example>", SourceRoute),
            (" <@a.example,@b.example:ceo@bank.example>", SourceRoute),
            (" <ceo@bank.example(a(b)\\)<x@evil.example>)>", CommentInAddress),
            (" ceo@(evil.example)bank.example", CommentInAddress),
            (" ceo @bank.example", WhiteSpaceInAddress),
            (" ceo@bank.example\r\n .evil.example", WhiteSpaceInAddress),
            (" <=?utf-8?q?ceo?=@bank.example>", EncodedWordInAddress),
            (" ceo@=?utf-8?q?bank.example?=", EncodedWordInAddress),
            (" \"=?utf-8?q?ceo?=\"@bank.example", EncodedWordInAddress),
            (" \"ceo@bank.example\"@evil.example", QuotedLocalPart),
            (" <\"ceo@bank.example>\"@evil.example>", QuotedLocalPart),
            (" \"\"@bank.example", QuotedLocalPart),
            (" ceo.@bank.example", BadLocalPart),
            (" c\u{200b}eo@bank.example", BadLocalPart),
            (" ceo@bank.example\u{ff20}evil.example", UndecodableDomain),
            (" ceo\u{ff20}bank.example@evil.example", BadLocalPart),
            (" ceo\"x\"@bank.example", BadLocalPart),
            (" <ceo@bank.example> x", TextAfterAddress),
            (" ceo@bank.example <x@evil.example>", AddressAsDisplayName),
            (" ceo\u{ff20}bank.example <x@evil.example>", AddressAsDisplayName),
            (" \"<ceo@bank.example>\" <x@evil.example>", AngleAddressInDisplayName),
            (" (<ceo@bank.example>) <x@evil.example>", AngleAddressInDisplayName),
            (" =?utf-8?q?=3Cceo=40bank.example=3E?= <x@evil.example>", AngleAddressInDisplayName),
            (" ceo@[192.0.2.1]", IpLiteral),
            (" <ceo@[IPv6:2001:db8::1]>", IpLiteral),
            (" ceo@192.0.2.1", IpLiteral),
            (" <ceo@bank.example.>", TrailingDot),
            (" ceo@localhost", SingleLabelDomain),
            (" ceo@bank..example", BadDomain),
            (" ceo@-bank.example", BadDomain),
            (" ceo@bank_one.example", BadDomain),
            (" ceo@\"bank.example\"", BadDomain),
            (" ceo@", BadDomain),
            (" @bank.example", BadLocalPart),
            (" ceo@xn--a.example", UndecodableDomain),
            (" ceo@ｂank.example", UndecodableDomain),
            (" ceo@bank。example", UndecodableDomain),
            (" ceo@bank.exam\u{ad}ple", UndecodableDomain),
            (" ceo@bank\0.example", ControlCharacter),
            (" a\rb <ceo@bank.example>", ControlCharacter),
            (" =?utf-8?q?=0D=0AFrom=3A?= <ceo@bank.example>", ControlCharacter),
            (" \"Ann <ann@example.com>", Unparseable),
            (" (Ann <ann@example.com>", Unparseable),
            (" Ann <ann@example.com", Unparseable),
            (" Ann [x] <ann@example.com>", Unparseable),
            (" > <ann@example.com>", Unparseable),
        ] {
            assert_eq!(Author::parse(value.as_bytes()), Err(expected), "{value:?}");
        }
        assert_eq!(Author::parse(b" Jos\xe9 <j@example.com>"), Err(NotUtf8));
        assert_eq!(Author::parse(&vec![b'('; MAX_FROM_OCTETS + 1]), Err(TooLong));
    }

    #[test]
    fn the_author_is_that_of_the_only_from_field_of_a_sound_header_section() {
        for (message, expected) in [
            ("From: <a@example.com>\r\n\r\n", Ok("example.com")),
            ("FROM : <a@example.com>\n\n", Ok("example.com")),
            ("To: <a@example.com>\r\n\r\nFrom: <a@example.com>\r\n", Err(AuthorFault::Missing)),
            ("From: <a@example.com>\r\nFrom : <b@example.com>\r\n\r\n", Err(AuthorFault::SeveralFromFields)),
            (
                " From: <a@example.com>\r\nFrom: <b@example.com>\r\n\r\n",
                Err(AuthorFault::HeaderSection(HeaderFault::FirstLineFolded)),
            ),
            (
                "X: 1\rFrom: <a@example.com>\r\nFrom: <b@example.com>\r\n\r\n",
                Err(AuthorFault::HeaderSection(HeaderFault::BareCr)),
            ),
        ] {
            let author = Author::of(&HeaderSection::parse(message.as_bytes()));
            assert_eq!(
                author.as_ref().map(|author| author.domain.as_str()).map_err(|fault| *fault),
                expected,
                "{message:?}"
            );
        }
    }

    #[test]
    fn addresses_in_a_display_name_are_named_by_their_domain() {
        for (value, expected) in [
            (" \"alerts@Bank.example                 \" <x@evil.example>", vec!["bank.example"]),
            (" =?utf-8?q?ceo=40bank.example?= <x@evil.example>", vec!["bank.example"]),
            (" \"=?utf-8?q?ceo=40bank.example?=\" <x@evil.example>", vec!["bank.example"]),
            (" x@evil.example (ceo@bank.example, cfo@shop.example.)", vec!["bank.example", "shop.example"]),
            (" \"Ann @ home\" <x@evil.example>", vec![]),
        ] {
            let author = Author::parse(value.as_bytes()).expect("the table holds usable authors");
            assert_eq!(shown_domains(&author.display_name.unwrap_or_default()), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Author::parse(&value);
        }

        #[test]
        fn an_accepted_author_has_one_plain_mailbox(value in "[ab@<>(),;:.\\\\\"=?\\[\\] \t\u{ff20}é]{0,40}\\.a[>)]?") {
            if let Ok(author) = Author::parse(value.as_bytes()) {
                prop_assert!(!author.local_part.contains(|c| is_at_sign(c) || c == '<' || c == '>'));
                prop_assert!(author.domain.contains('.') && author.domain.split('.').all(is_ldh_label));
            }
        }
    }
}
