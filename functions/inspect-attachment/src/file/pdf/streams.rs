//! The filters of streams (ISO 32000-2 §7.4).

use flate2::read::ZlibDecoder;

use super::objects::{Dictionary, Value};
use crate::file::budget::{Budget, Limit};

/// Filters on one stream; two happen.
const MAX_FILTERS: usize = 8;

/// The octets of a stream, as far as its filters are known and its octets sound.
///
/// # Errors
/// The limit that unpacking breaks.
pub(super) fn unpack(dictionary: &Dictionary<'_>, packed: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let mut octets = packed.to_vec();
    for filter in filters(dictionary) {
        octets = apply(filter, &octets, budget)?;
    }
    Ok(octets)
}

/// As [`unpack`], for what nobody looks into: only a bomb is noticed.
///
/// # Errors
/// The limit that unpacking breaks.
pub(super) fn measure(dictionary: &Dictionary<'_>, packed: &[u8], budget: &mut Budget) -> Result<(), Limit> {
    let filters = filters(dictionary);
    let Some((last, before)) = filters.split_last() else { return Ok(()) };
    if !is_flate(last) {
        return Ok(());
    }
    let mut octets = std::borrow::Cow::Borrowed(packed);
    for filter in before {
        octets = apply(filter, &octets, budget)?.into();
    }
    budget.measure(octets.len(), ZlibDecoder::new(octets.as_ref()))
}

fn filters<'a>(dictionary: &'a Dictionary<'_>) -> Vec<&'a [u8]> {
    let filter = dictionary.get(b"Filter").or_else(|| dictionary.get(b"F"));
    let names = match filter {
        Some(Value::Array(filters)) => filters.as_slice(),
        Some(filter) => std::slice::from_ref(filter),
        None => &[],
    };
    let names = names.iter().filter_map(|name| if let Value::Name(name) = name { Some(name.as_ref()) } else { None });
    names.take(MAX_FILTERS).collect()
}

fn is_flate(filter: &[u8]) -> bool {
    matches!(filter, b"FlateDecode" | b"Fl")
}

fn apply(filter: &[u8], octets: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    match filter {
        b"FlateDecode" | b"Fl" => budget.unpack(octets.len(), ZlibDecoder::new(octets)),
        b"LZWDecode" | b"LZW" => lzw(octets, budget),
        b"RunLengthDecode" | b"RL" => run_length(octets, budget),
        b"ASCIIHexDecode" | b"AHx" => kept(hexadecimal(octets), budget),
        b"ASCII85Decode" | b"A85" => kept(base_85(octets), budget),
        _ => Ok(octets.to_vec()),
    }
}

fn kept(octets: Vec<u8>, budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    budget.take_octets(octets.len())?;
    Ok(octets)
}

fn hexadecimal(octets: &[u8]) -> Vec<u8> {
    let mut digits =
        octets.iter().take_while(|octet| **octet != b'>').filter_map(|octet| char::from(*octet).to_digit(16));
    let mut text = Vec::new();
    while let Some(high) = digits.next() {
        text.extend(u8::try_from(high << 4 | digits.next().unwrap_or(0)).ok());
    }
    text
}

/// Groups of five digits are four octets; the last group may be shorter.
fn base_85(octets: &[u8]) -> Vec<u8> {
    let (mut text, mut group) = (Vec::new(), Vec::new());
    let octets = octets.strip_prefix(b"<~").unwrap_or(octets);
    for octet in octets.iter().take_while(|octet| **octet != b'~') {
        match octet {
            b'z' if group.is_empty() => text.extend([0; 4]),
            b'!'..=b'u' => group.push(octet - b'!'),
            _ => {}
        }
        if group.len() == 5 {
            text.extend(four_octets(&group));
            group.clear();
        }
    }
    if 1 < group.len() {
        let missing = 5 - group.len();
        group.resize(5, 84);
        text.extend(four_octets(&group).iter().take(4 - missing));
    }
    text
}

fn four_octets(group: &[u8]) -> [u8; 4] {
    group.iter().fold(0_u32, |number, digit| number.wrapping_mul(85).wrapping_add(u32::from(*digit))).to_be_bytes()
}

fn run_length(octets: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let (mut text, mut rest) = (Vec::new(), octets);
    while let Some((&length, after)) = rest.split_first() {
        let (run, next) = match length {
            128 => break,
            0..128 => {
                let (run, next) = after.split_at(after.len().min(usize::from(length) + 1));
                (run.to_vec(), next)
            }
            _ => {
                let Some((&octet, next)) = after.split_first() else { break };
                (vec![octet; 257 - usize::from(length)], next)
            }
        };
        budget.take_octets(run.len())?;
        text.extend(run);
        rest = next;
    }
    Ok(text)
}

/// Codes of 9 to 12 bits, the width changing one code early (§7.4.4).
fn lzw(octets: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut text: Vec<u8> = Vec::new();
    // Places in `text` of what each code from 258 stands for.
    let mut table: Vec<(usize, usize)> = Vec::new();
    let (mut bits, mut held, mut width, mut before) = (0_u32, 0_u32, 9, None);
    for octet in octets {
        (bits, held) = (bits << 8 | u32::from(*octet), held + 8);
        if held < width {
            continue;
        }
        held -= width;
        let code = (bits >> held) as usize & ((1 << width) - 1);
        bits &= (1 << held) - 1;
        if code == END {
            break;
        }
        if code == CLEAR {
            table.clear();
            (width, before) = (9, None);
            continue;
        }
        let start = text.len();
        match (code, table.get(code.wrapping_sub(258)).copied(), before) {
            (0..256, _, _) => text.push(u8::try_from(code).unwrap_or_default()),
            (_, Some((at, length)), _) => text.extend_from_within(at..at + length),
            (_, None, Some((at, length))) if code == table.len() + 258 => {
                text.extend_from_within(at..at + length);
                text.extend_from_within(at..at + 1);
            }
            _ => break,
        }
        budget.take_octets(text.len() - start)?;
        if let Some((at, length)) = before
            && table.len() < 4096
        {
            table.push((at, length + 1));
        }
        before = Some((start, text.len() - start));
        width = match table.len() + 259 {
            0..511 => 9,
            511..1023 => 10,
            1023..2047 => 11,
            _ => 12,
        };
    }
    Ok(text)
}
