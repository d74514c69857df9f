//! What a message holds: its parts, the links in them, and what is wrong with either. A pure function of octets.
//!
//! Structure alone is judged. No finding here depends on which words a text has.

#[cfg(feature = "content")]
mod boundary;
#[cfg(feature = "content")]
pub mod character_reference;
#[cfg(feature = "content")]
mod charset;
#[cfg(feature = "content")]
pub mod data_url;
#[cfg(feature = "content")]
mod field_value;
#[cfg(feature = "content")]
mod letter;
#[cfg(feature = "content")]
pub mod link;
#[cfg(feature = "content")]
pub mod markup;
#[cfg(feature = "content")]
pub mod mime;
#[cfg(feature = "content")]
mod transfer_encoding;
#[cfg(feature = "content")]
pub mod uuencoded;

#[cfg(feature = "content")]
pub use self::{
    charset::decoded as text_of,
    letter::{links_of, unread_text},
};

/// Codes of the findings that this folder makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("mime_limit_exceeded", "more parts, names, levels or octets than are looked at; the detail names the limit"),
    ("text_limit_exceeded", "a text is longer than is read for links"),
    ("mime_boundary_ambiguous", "mail programs cut the message into different parts"),
    ("mime_duplicate_field", "a part has two different types, encodings or dispositions"),
    ("mime_header_ambiguous", "a header field of a part ends in different places for different programs"),
    ("mime_encoding_ambiguous", "mail programs decode a part differently"),
    ("mime_name_ambiguous", "a file has names with different extensions, and programs use one or the other"),
    ("mime_charset_ambiguous", "a text reads differently in different programs"),
    ("message_partial", "a piece of a message that is put together only after scanning"),
    ("link_display_mismatch", "the text of a link shows another site than the one it leads to"),
    ("link_userinfo", "a link shows a name before an @ that is not where it leads"),
    ("link_ip_host", "a link leads to a bare IP address"),
    ("link_disguised_host", "a host is written as a number, percent-encoded or in look-alike letters"),
    ("link_mixed_scripts", "a host mixes scripts so that it reads like another"),
    ("link_hidden_characters", "an address has invisible characters, or ones that turn the reading direction"),
    ("link_backslash", "an address has backslashes where slashes belong"),
    ("link_running_scheme", "a link runs a script or opens a program"),
    ("link_file_share", "a link opens a file share, which is shown the reader's credentials"),
    ("link_data_page", "a link holds a whole page in its address"),
    ("link_without_click", "the message leads to another page without a click"),
    ("frame_in_message", "the message shows a page of another site within itself"),
    ("form_in_message", "the message has a form with fields to fill in"),
    ("link_shortener", "a shortened link hides where it leads"),
    ("link_redirector", "a link leads through a well-known site to another one"),
    ("link_open_hosting", "a link leads to a page that anybody can put under a well-known name"),
    ("qr_code_link", "a code in a picture leads where nothing else in the message does"),
    ("link_unknown_top_level", "a link leads to a top-level domain that does not exist"),
    ("link_limit_exceeded", "more links, or attributes of a tag, than are looked at"),
];
