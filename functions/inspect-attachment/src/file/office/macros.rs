//! VBA projects ([MS-OVBA]): whether there is any code in them.

use memchr::memmem;

use super::compound::{CompoundFile, Object};
use crate::file::budget::{Budget, Limit};

/// What the modules of a project hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Project {
    None,
    /// Only the lines that Office writes by itself.
    Empty,
    Code,
}

/// Streams of a project that are no modules.
const NO_MODULES: [&str; 4] = ["dir", "_vba_project", "projectwm", "project"];

/// Looks for a storage `VBA` and into its modules. A project whose source was taken out is code: Office runs what was compiled.
///
/// # Errors
/// [`Limit::Octets`].
pub(crate) fn project(file: &CompoundFile<'_>, budget: &mut Budget) -> Result<Project, Limit> {
    let is_storage = |object: &&Object| !object.is_stream && object.name.eq_ignore_ascii_case("VBA");
    let storages: Vec<&Object> = file.objects.iter().filter(is_storage).collect();
    if storages.is_empty() {
        return Ok(if file.find("_VBA_PROJECT").is_some() { Project::Code } else { Project::None });
    }
    for (at, _) in file.objects.iter().enumerate().filter(|(_, object)| is_storage(object)) {
        for module in file.within(at).filter(|object| object.is_stream && is_module(&object.name)) {
            let module = file.stream(module, budget)?;
            if !is_empty_module(&module) {
                return Ok(Project::Code);
            }
        }
    }
    Ok(Project::Empty)
}

fn is_module(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with("__srp_") && !NO_MODULES.contains(&name.as_str())
}

/// Every source begins with an attribute, which stands as it is behind the first flags of the compressed container.
fn is_empty_module(module: &[u8]) -> bool {
    let starts = memmem::find_iter(module, b"\0Attribut\0e ");
    let source = starts.filter_map(|at| at.checked_sub(3)).find(|at| module.get(*at) == Some(&1));
    let Some(source) = source.and_then(|at| decompress(module.get(at + 1..)?)) else { return module.is_empty() };
    let source = String::from_utf8_lossy(&source).to_ascii_lowercase();
    let is_written_by_office = |line: &str| {
        line.is_empty() || line.starts_with("attribute ") || line.starts_with("option ") || line.starts_with('\'')
    };
    source.lines().map(str::trim).all(is_written_by_office)
}

/// A module has at most 65,535 lines; a longer source is no empty one.
const MAX_SOURCE: usize = 256 * 1024;

/// Chunks of at most 4,096 octets, of which each has flags for eight tokens (§2.4.1). `None` when it is damaged.
fn decompress(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut source = Vec::new();
    while let Some(header) = crate::file::octets::u16_at(chunks, 0) {
        let size = usize::from(header & 0x0fff) + 3;
        let chunk = chunks.get(2..size.min(chunks.len()))?;
        if header & 0x7000 != 0x3000 || MAX_SOURCE < source.len() {
            return None;
        }
        match header & 0x8000 {
            0 => source.extend_from_slice(chunk),
            _ => decompress_chunk(chunk, &mut source)?,
        }
        chunks = chunks.get(size..).unwrap_or_default();
    }
    Some(source)
}

fn decompress_chunk(mut tokens: &[u8], source: &mut Vec<u8>) -> Option<()> {
    let start = source.len();
    while let Some((&flags, rest)) = tokens.split_first() {
        tokens = rest;
        for bit in 0..8 {
            let Some((&literal, after)) = tokens.split_first() else { return Some(()) };
            if flags & (1 << bit) == 0 {
                source.push(literal);
                tokens = after;
                continue;
            }
            let token = crate::file::octets::u16_at(tokens, 0)?;
            let written = source.len() - start;
            let bits = usize::BITS - written.saturating_sub(1).leading_zeros();
            let length_bits = 16 - bits.max(4);
            let length = usize::from(token & ((1 << length_bits) - 1)) + 3;
            let offset = usize::from(token >> length_bits) + 1;
            for _ in 0..length {
                source.push(*source.get(source.len().checked_sub(offset)?)?);
            }
            tokens = tokens.get(2..)?;
        }
    }
    Some(())
}
