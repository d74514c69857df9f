//! Rich text as messages of Outlook keep it ([MS-OXRTFCP]).

use crate::file::{
    budget::{Budget, Limit},
    octets::{slice, usize_at},
};

/// What the dictionary begins with, before anything is written.
const BEGINNING: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

const DICTIONARY: usize = 4096;

/// Sizes, kind and checksum.
const HEADER: usize = 16;

/// # Errors
/// [`Limit::Octets`].
pub(crate) fn unpack(packed: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let body = packed.get(HEADER..).unwrap_or_default();
    if slice(packed, 8, 4) == Some(b"MELA") {
        budget.take_octets(body.len())?;
        return Ok(body.to_vec());
    }
    let size = usize_at(packed, 4).unwrap_or_default();
    // Two octets become 17 at most.
    let size = size.min(body.len().saturating_mul(9));
    budget.take_octets(size)?;
    Ok(decompressed(body, size))
}

/// Flags for eight tokens, each a letter or a place in the dictionary and a length.
fn decompressed(mut tokens: &[u8], size: usize) -> Vec<u8> {
    let mut text: Vec<u8> = BEGINNING.to_vec();
    while let Some((&flags, rest)) = tokens.split_first().filter(|_| text.len() < size + BEGINNING.len()) {
        tokens = rest;
        for bit in 0..8 {
            if flags & (1 << bit) == 0 {
                let Some((&letter, rest)) = tokens.split_first() else { break };
                text.push(letter);
                tokens = rest;
                continue;
            }
            let Some((&[high, low], rest)) = tokens.split_first_chunk() else { break };
            tokens = rest;
            let place = usize::from(high) << 4 | usize::from(low >> 4);
            // A place that is where the next letter goes ends the text.
            let back = (text.len() + DICTIONARY - place) % DICTIONARY;
            if back == 0 {
                return text.split_off(BEGINNING.len());
            }
            for _ in 0..usize::from(low & 0x0f) + 2 {
                let letter = text.len().checked_sub(back).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
                text.push(letter);
            }
        }
    }
    text.split_off(BEGINNING.len())
}
