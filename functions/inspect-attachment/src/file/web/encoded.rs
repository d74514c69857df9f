//! What a page holds in letters that stand for octets: pages and files that its scripts bring to light.

use std::collections::HashSet;

use gatepost::content::data_url::DataUrl;

use crate::file::kind::Kind;

use super::script::{has_encoded_octets, runs};

/// Letters of what is worth decoding: a short page.
const LEAST_LETTERS: usize = 32;

/// Found in all readings of a page together.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// Somewhere in the page, not in its scripts alone.
    pub(super) has_octets: bool,
    pieces: HashSet<String>,
}

/// What a piece is decoded to.
pub(super) enum Decoded {
    Page(Vec<u8>),
    Text(String),
    File(Vec<u8>),
}

impl Encoded {
    pub(super) fn note(&mut self, text: &str) {
        // Pictures in a page are octets as well, and no secret.
        if text.len() < LEAST_LETTERS || text.starts_with("data:image/") || text.starts_with("data:font/") {
            return;
        }
        self.has_octets |= has_encoded_octets(text);
        let pieces = runs(text).filter(|run| LEAST_LETTERS <= run.len());
        self.pieces.extend(pieces.map(str::to_owned));
    }

    /// Of what turns out to be something.
    pub(super) fn decoded(&self) -> impl Iterator<Item = Decoded> {
        self.pieces.iter().flat_map(|piece| {
            let base64 = DataUrl::parse(&format!("data:;base64,{piece}")).map(|data| data.octets).unwrap_or_default();
            [base64, from_hexadecimal(piece), super::source::percent_decoded(piece).into_bytes()]
                .into_iter()
                .filter(|octets| octets.as_slice() != piece.as_bytes())
                .filter_map(Decoded::of)
        })
    }
}

impl Decoded {
    fn of(octets: Vec<u8>) -> Option<Self> {
        let is_text = octets.iter().take(1_000).all(|octet| matches!(octet, b' '..=b'~' | b'\r' | b'\n' | b'\t'));
        match octets.trim_ascii_start().first()? {
            b'<' if is_text => Some(Self::Page(octets)),
            _ if is_text => String::from_utf8(octets).ok().map(Self::Text),
            _ => Kind::of(&octets).filter(|kind| *kind != Kind::Image).map(|_| Self::File(octets)),
        }
    }
}

fn from_hexadecimal(piece: &str) -> Vec<u8> {
    let digits = piece.bytes().map(|digit| char::from(digit).to_digit(16));
    let Some(digits) = digits.collect::<Option<Vec<u32>>>() else { return Vec::new() };
    digits.as_chunks::<2>().0.iter().filter_map(|&[high, low]| u8::try_from(high << 4 | low).ok()).collect()
}
