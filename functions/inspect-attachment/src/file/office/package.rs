//! A file that was dragged into a document: what OLE calls a package.

use crate::file::{
    contents::Inner,
    octets::{slice, u16_at, usize_at},
};

/// The names that it had, and its octets. `None` for what has another form.
pub(crate) fn parse(data: &[u8]) -> Option<(Vec<String>, &[u8])> {
    if u16_at(data, 0)? != 2 {
        return None;
    }
    let mut rest = data.get(2..)?;
    let label = text(&mut rest)?;
    let path = text(&mut rest)?;
    rest = rest.get(4..)?;
    let length = usize_at(rest, 0)?;
    let temporary = String::from_utf8_lossy(slice(rest, 4, length)?).trim_end_matches('\0').to_owned();
    let rest = rest.get(4 + length..)?;
    let size = usize_at(rest, 0)?;
    let file = rest.get(4..)?;
    Some((vec![label, path, temporary], file.get(..size).unwrap_or(file)))
}

pub(crate) fn inner(mut names: Vec<String>, file: &[u8]) -> Inner<'static> {
    names.dedup();
    Inner::new(names, file.to_vec())
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let end = memchr::memchr(0, rest)?;
    let (text, after) = rest.split_at_checked(end)?;
    *rest = after.get(1..)?;
    Some(String::from_utf8_lossy(text).into_owned())
}
