//! The filters of streams (ISO 32000-2 §7.4).

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::{
    objects::{Dictionary, Value},
    parser::hexadecimal,
};
use crate::file::budget::{Budget, Limit};

/// Filters on one stream; two happen.
const MAX_FILTERS: usize = 8;

/// Filters that are undone here.
const KNOWN: [&[u8]; 10] = [
    b"FlateDecode",
    b"Fl",
    b"LZWDecode",
    b"LZW",
    b"RunLengthDecode",
    b"RL",
    b"ASCIIHexDecode",
    b"AHx",
    b"ASCII85Decode",
    b"A85",
];

/// First octets of a stream, which tell of what kind it is.
const HEAD: usize = 512;

/// How a stream is packed, the first filter first, with all references followed.
#[derive(Debug, Default)]
pub(super) struct Packing<'f>(Vec<(&'f [u8], Parameters)>);

/// What goes with a filter (§7.4.4.3), with the values that are meant when nothing is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parameters {
    predictor: usize,
    colors: usize,
    bits: usize,
    columns: usize,
    early_change: usize,
}

impl<'f> Packing<'f> {
    /// `resolve` leads from a reference to what it refers to.
    pub(super) fn of<'a>(
        dictionary: &'f Dictionary<'a>,
        resolve: &dyn Fn(&'f Value<'a>) -> Option<&'f Value<'a>>,
    ) -> Self {
        let all = |keys: [&[u8]; 2]| match keys.iter().find_map(|key| dictionary.get(key)).and_then(resolve) {
            Some(Value::Array(values)) => values.iter().take(MAX_FILTERS).map(resolve).collect(),
            value => vec![value],
        };
        let mut parameters = all([b"DecodeParms", b"DP"]).into_iter();
        let filters = all([b"Filter", b"F"]).into_iter().filter_map(|filter| match filter {
            Some(Value::Name(name)) => Some((name.as_ref(), Parameters::of(parameters.next().flatten(), resolve))),
            _ => None,
        });
        Self(filters.collect())
    }

    /// Filters that are not known leave their octets as they are.
    pub(super) fn is_known(&self) -> bool {
        self.0.iter().all(|(filter, _)| KNOWN.contains(filter))
    }

    /// Entries of dictionaries that many streams may refer to.
    pub(super) fn weight<'a>(
        dictionary: &'f Dictionary<'a>,
        resolve: &dyn Fn(&'f Value<'a>) -> Option<&'f Value<'a>>,
    ) -> usize {
        let entries = |value: Option<&Value<'a>>| match value {
            Some(Value::Dictionary(dictionary)) => dictionary.0.len(),
            _ => 1,
        };
        match [&b"DecodeParms"[..], b"DP"].iter().find_map(|key| dictionary.get(key)).and_then(resolve) {
            Some(Value::Array(values)) => values.iter().take(MAX_FILTERS).map(|value| entries(resolve(value))).sum(),
            value => entries(value),
        }
    }

    /// The octets of a stream, as far as its filters are known and its octets sound.
    ///
    /// # Errors
    /// The limit that unpacking breaks.
    pub(super) fn unpack(&self, packed: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
        let Some((first, others)) = self.0.split_first() else { return kept(packed.to_vec(), budget) };
        let mut octets = apply(*first, packed, budget)?;
        for filter in others {
            octets = apply(*filter, &octets, budget)?;
        }
        Ok(octets)
    }

    /// As [`Self::unpack`], for what nobody looks into: only a bomb is noticed. Answers with the first octets.
    ///
    /// # Errors
    /// The limit that unpacking breaks.
    pub(super) fn measure(&self, packed: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
        let Some((&(last, _), before)) = self.0.split_last() else {
            return Ok(packed.get(..HEAD).unwrap_or(packed).to_vec());
        };
        if !is_flate(last) {
            return Ok(Vec::new());
        }
        let mut octets = std::borrow::Cow::Borrowed(packed);
        for filter in before {
            octets = apply(*filter, &octets, budget)?.into();
        }
        let mut head = Vec::new();
        ZlibDecoder::new(octets.as_ref()).take(HEAD as u64).read_to_end(&mut head).unwrap_or_default();
        budget.measure(octets.len(), ZlibDecoder::new(octets.as_ref()))?;
        Ok(head)
    }
}

impl Parameters {
    const NONE: Self = Self { predictor: 1, colors: 1, bits: 8, columns: 1, early_change: 1 };

    fn of<'f, 'a>(value: Option<&'f Value<'a>>, resolve: &dyn Fn(&'f Value<'a>) -> Option<&'f Value<'a>>) -> Self {
        let Some(Value::Dictionary(dictionary)) = value else { return Self::NONE };
        let number = |key: &[u8], usual| match dictionary.get(key).and_then(resolve) {
            Some(Value::Number(number)) => *number,
            _ => usual,
        };
        Self {
            predictor: number(b"Predictor", 1),
            colors: number(b"Colors", 1),
            bits: number(b"BitsPerComponent", 8),
            columns: number(b"Columns", 1),
            early_change: number(b"EarlyChange", 1),
        }
    }

    /// Octets of one row, and of one sample of all colours.
    fn row(self) -> Option<(usize, usize)> {
        let sample = self.colors.checked_mul(self.bits)?;
        let row = sample.checked_mul(self.columns)?.div_ceil(8);
        (0 < row).then_some((row, sample.div_ceil(8).max(1)))
    }

    /// Undoes what was done to make the octets pack better.
    fn unpredicted(self, octets: Vec<u8>) -> Vec<u8> {
        match (self.predictor, self.row()) {
            (2, Some((row, sample))) if self.bits == 8 => tiff_rows(octets, row, sample),
            (10.., Some((row, sample))) => png_rows(&octets, row, sample),
            _ => octets,
        }
    }
}

/// Each octet is the difference to the one a sample before it (TIFF 6.0 §14).
fn tiff_rows(mut octets: Vec<u8>, row: usize, sample: usize) -> Vec<u8> {
    for row in octets.chunks_mut(row) {
        for at in sample..row.len() {
            let before = row.get(at - sample).copied().unwrap_or_default();
            if let Some(octet) = row.get_mut(at) {
                *octet = octet.wrapping_add(before);
            }
        }
    }
    octets
}

/// Each row says in its first octet what its others are differences to (PNG §9).
fn png_rows(octets: &[u8], row: usize, sample: usize) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(octets.len());
    let mut above = vec![0; row.min(octets.len())];
    for line in octets.chunks(row.saturating_add(1)) {
        let Some((&filter, line)) = line.split_first() else { break };
        let start = plain.len();
        for (at, octet) in line.iter().enumerate() {
            let of = |row: &[u8], at: Option<usize>| at.and_then(|at| row.get(at).copied()).unwrap_or_default();
            let before = at.checked_sub(sample);
            let left = of(plain.get(start..).unwrap_or_default(), before);
            let (up, corner) = (of(&above, Some(at)), of(&above, before));
            plain.push(octet.wrapping_add(match filter {
                1 => left,
                2 => up,
                3 => left.midpoint(up),
                4 => paeth(left, up, corner),
                _ => 0,
            }));
        }
        above = plain.get(start..).unwrap_or_default().to_vec();
    }
    plain
}

/// The neighbour that is nearest to what all three let expect.
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let expected = i16::from(left) + i16::from(up) - i16::from(corner);
    [left, up, corner].into_iter().min_by_key(|known| (expected - i16::from(*known)).abs()).unwrap_or_default()
}

fn is_flate(filter: &[u8]) -> bool {
    matches!(filter, b"FlateDecode" | b"Fl")
}

fn apply((filter, parameters): (&[u8], Parameters), octets: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    match filter {
        b"FlateDecode" | b"Fl" => flate(octets, budget).map(|octets| parameters.unpredicted(octets)),
        b"LZWDecode" | b"LZW" => {
            lzw(octets, parameters.early_change, budget).map(|octets| parameters.unpredicted(octets))
        }
        b"RunLengthDecode" | b"RL" => run_length(octets, budget),
        b"ASCIIHexDecode" | b"AHx" => kept(hexadecimal(octets), budget),
        b"ASCII85Decode" | b"A85" => kept(base_85(octets), budget),
        _ => kept(octets.to_vec(), budget),
    }
}

/// With a header that is damaged it is unpacked all the same, as readers do.
fn flate(octets: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let unpacked = budget.unpack(octets.len(), ZlibDecoder::new(octets))?;
    match octets.get(2..) {
        Some(bare) if unpacked.is_empty() => budget.unpack(bare.len(), DeflateDecoder::new(bare)),
        _ => Ok(unpacked),
    }
}

fn kept(octets: Vec<u8>, budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    budget.take_octets(octets.len())?;
    Ok(octets)
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

/// Codes of 9 to 12 bits, the width usually changing one code early (§7.4.4).
fn lzw(octets: &[u8], early_change: usize, budget: &mut Budget) -> Result<Vec<u8>, Limit> {
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
        width = match table.len() + 258 + early_change.min(1) {
            0..511 => 9,
            511..1023 => 10,
            1023..2047 => 11,
            _ => 12,
        };
    }
    Ok(text)
}
