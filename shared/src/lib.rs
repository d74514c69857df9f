//! The core of gatepost: nouns of the RFCs as pure code, and under [`io`] everything that awaits.

pub mod activity;
pub mod address;
pub mod alert;
pub mod anomaly;
pub mod api_key;
pub mod authentication;
pub mod authentication_results;
pub mod author;
pub mod bucket;
pub mod config;
pub mod disposition;
pub mod encoded_word;
pub mod envelope;
pub mod finding;
pub mod header_section;
pub mod inspection;
pub mod io;
pub mod mail_hosts;
pub mod rate_limit;
pub mod reason;
pub mod spf;
pub mod verdict;
