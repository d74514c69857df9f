//! What keeps a From field from having an author: each ambiguity with its code and its words.

use crate::header_section::HeaderFault;

/// Why a message has no author that every reader agrees on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthorFault {
    /// Readers may disagree on which fields there are.
    HeaderSection(HeaderFault),
    Missing,
    SeveralFromFields,
    TooLong,
    NotUtf8,
    ControlCharacter,
    Empty,
    NoAddress,
    SeveralAddresses,
    SemicolonSeparator,
    GroupSyntax,
    SeveralAtSigns,
    SeveralAngleAddresses,
    NestedAngleAddress,
    SourceRoute,
    CommentInAddress,
    WhiteSpaceInAddress,
    EncodedWordInAddress,
    QuotedLocalPart,
    BadLocalPart,
    TextAfterAddress,
    AddressAsDisplayName,
    AngleAddressInDisplayName,
    IpLiteral,
    TrailingDot,
    SingleLabelDomain,
    BadDomain,
    UndecodableDomain,
    Unparseable,
}

impl AuthorFault {
    /// Every fault of the From field itself; those of the header section have a list of their own.
    pub const ALL: [Self; 28] = [
        Self::Missing,
        Self::SeveralFromFields,
        Self::TooLong,
        Self::NotUtf8,
        Self::ControlCharacter,
        Self::Empty,
        Self::NoAddress,
        Self::SeveralAddresses,
        Self::SemicolonSeparator,
        Self::GroupSyntax,
        Self::SeveralAtSigns,
        Self::SeveralAngleAddresses,
        Self::NestedAngleAddress,
        Self::SourceRoute,
        Self::CommentInAddress,
        Self::WhiteSpaceInAddress,
        Self::EncodedWordInAddress,
        Self::QuotedLocalPart,
        Self::BadLocalPart,
        Self::TextAfterAddress,
        Self::AddressAsDisplayName,
        Self::AngleAddressInDisplayName,
        Self::IpLiteral,
        Self::TrailingDot,
        Self::SingleLabelDomain,
        Self::BadDomain,
        Self::UndecodableDomain,
        Self::Unparseable,
    ];

    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.described().0
    }

    /// One sentence for people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        self.described().1
    }

    const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::HeaderSection(fault) => (fault.code(), fault.detail()),
            Self::Missing => ("from_missing", "There is no From field."),
            Self::SeveralFromFields => ("from_several_fields", "There is more than one From field."),
            Self::TooLong => ("from_too_long", "The From field is longer than 32768 octets."),
            Self::NotUtf8 => ("from_not_utf8", "The From field has octets that are not UTF-8."),
            Self::ControlCharacter => ("from_control_character", "The From field has a control character."),
            Self::Empty => ("from_empty", "The From field or its angle brackets are empty."),
            Self::NoAddress => ("from_no_address", "The From field has no address."),
            Self::SeveralAddresses => ("from_several_addresses", "The From field has a comma between addresses."),
            Self::SemicolonSeparator => {
                ("from_semicolon_separator", "The From field has a semicolon between addresses.")
            }
            Self::GroupSyntax => ("from_group_syntax", "The From field has the colon of a group."),
            Self::SeveralAtSigns => ("from_several_at_signs", "The address in From has more than one @."),
            Self::SeveralAngleAddresses => ("from_several_angle_addresses", "From has several addresses in brackets."),
            Self::NestedAngleAddress => ("from_nested_angle_address", "From has angle brackets within angle brackets."),
            Self::SourceRoute => ("from_source_route", "The address in From has a source route."),
            Self::CommentInAddress => ("from_comment_in_address", "The address in From has a comment inside."),
            Self::WhiteSpaceInAddress => ("from_white_space_in_address", "The address in From has white space inside."),
            Self::EncodedWordInAddress => ("from_encoded_word_in_address", "The address in From has an encoded word."),
            Self::QuotedLocalPart => ("from_quoted_local_part", "The quoted local-part hides a special character."),
            Self::BadLocalPart => ("from_bad_local_part", "The local-part of the address in From is malformed."),
            Self::TextAfterAddress => ("from_text_after_address", "Text follows the address in From."),
            Self::AddressAsDisplayName => ("from_address_as_display_name", "The unquoted display name has an @."),
            Self::AngleAddressInDisplayName => {
                ("from_angle_address_in_display_name", "The display name has an address of another domain in brackets.")
            }
            Self::IpLiteral => ("from_ip_literal", "The address in From has an IP address for a domain."),
            Self::TrailingDot => ("from_trailing_dot", "The domain in From ends in a dot."),
            Self::SingleLabelDomain => ("from_single_label_domain", "The domain in From is a single label."),
            Self::BadDomain => ("from_bad_domain", "The domain in From breaks the rules for host names."),
            Self::UndecodableDomain => ("from_undecodable_domain", "The domain in From is not valid or normal IDNA."),
            Self::Unparseable => ("from_unparseable", "The From field is malformed."),
        }
    }
}
