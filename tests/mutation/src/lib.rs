//! The nouns that decide about a message, where they are.

#![allow(dead_code, unused_imports)]

#[path = "../../../shared/src/address/mod.rs"]
pub mod address;
#[path = "../../../shared/src/arc/mod.rs"]
pub mod arc;
#[path = "../../../shared/src/authentication.rs"]
pub mod authentication;
#[path = "../../../shared/src/authentication_results.rs"]
pub mod authentication_results;
#[path = "../../../shared/src/author.rs"]
pub mod author;
#[path = "../../../shared/src/author_fault.rs"]
pub mod author_fault;
#[path = "../../../shared/src/display_name.rs"]
pub mod display_name;
#[path = "../../../shared/src/disposition.rs"]
pub mod disposition;
#[path = "../../../shared/src/dkim/mod.rs"]
pub mod dkim;
#[path = "../../../shared/src/dmarc/mod.rs"]
pub mod dmarc;
#[path = "../../../shared/src/encoded_word.rs"]
pub mod encoded_word;
#[path = "../../../shared/src/envelope.rs"]
pub mod envelope;
#[path = "../../../shared/src/finding.rs"]
pub mod finding;
#[path = "../../../shared/src/header_section.rs"]
pub mod header_section;
#[path = "../../../shared/src/reason.rs"]
pub mod reason;
#[path = "../../../shared/src/spf/mod.rs"]
pub mod spf;
#[path = "../../../shared/src/tag_list.rs"]
pub mod tag_list;
