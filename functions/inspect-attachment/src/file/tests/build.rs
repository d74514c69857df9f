//! Files of all formats, as small as they can be.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

/// One entry of an archive.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    /// What the local header says, where that is something else.
    pub(crate) local_name: &'a str,
    pub(crate) content: &'a [u8],
    pub(crate) is_encrypted: bool,
}

pub(crate) fn entry<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry { name, local_name: name, content, is_encrypted: false }
}

pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<Entry<'_>> = entries.iter().map(|(name, content)| entry(name, content)).collect();
    zip_of(&entries)
}

/// Deflated, with a directory.
pub(crate) fn zip_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let packed = deflated(entry.content);
        let offset = little(archive.len());
        let flags = [u8::from(entry.is_encrypted), 0];
        let sizes = [little(packed.len()), little(entry.content.len())].concat();
        let common = |name: &str| [&flags[..], &[8, 0], &[0; 8], &sizes, &little(name.len())[..2], &[0; 2]].concat();
        archive.extend(
            [b"PK\x03\x04\x14\0", &common(entry.local_name)[..], entry.local_name.as_bytes(), &packed].concat(),
        );
        directory.extend(
            [b"PK\x01\x02\x14\0\x14\0", &common(entry.name)[..], &[0; 10], &offset, entry.name.as_bytes()].concat(),
        );
    }
    let (place, size) = (little(archive.len()), little(directory.len()));
    let count = &little(entries.len())[..2];
    archive.extend(directory);
    archive.extend([b"PK\x05\x06\0\0\0\0", count, count, &size, &place, &[0; 2]].concat());
    archive
}

pub(crate) fn little(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("small test files").to_le_bytes()
}

pub(crate) fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub(crate) fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = b'0';
        header[257..262].copy_from_slice(b"ustar");
        archive.extend(header);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// One stored file.
pub(crate) fn rar_5(name: &str, content: &[u8], is_encrypted: bool) -> Vec<u8> {
    let extra: &[u8] = if is_encrypted { &[2, 1, 0] } else { &[] };
    let sizes = [u8::try_from(content.len()).expect("small"), u8::try_from(name.len()).expect("small")];
    let flags = if is_encrypted { 3 } else { 2 };
    let mut body = vec![2, flags];
    if is_encrypted {
        body.push(u8::try_from(extra.len()).expect("small"));
    }
    body.extend([sizes[0], 0, sizes[0], 0, 0, 0, sizes[1]]);
    body.extend([name.as_bytes(), extra].concat());
    let head = [0, 0, 0, 0, u8::try_from(body.len()).expect("small")];
    [b"Rar!\x1a\x07\x01\0", &head[..], &body, content].concat()
}

pub(crate) fn rar_4(name: &str, method: u8, flags: u8) -> Vec<u8> {
    let size = u8::try_from(32 + name.len()).expect("small");
    let mut file = vec![0, 0, 0x74, flags, 0x80, size, 0, 0, 0, 0, 0];
    file.extend([0; 14]);
    file.extend([method, u8::try_from(name.len()).expect("small"), 0, 0, 0, 0, 0]);
    [b"Rar!\x1a\x07\0\0\0\x73\0\0\x0d\0\0\0\0\0\0\0", &file[..], name.as_bytes()].concat()
}

/// Copied, not packed, with a plain header.
pub(crate) fn seven_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u8::try_from(content.len()).expect("small");
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let names = u8::try_from(name.len() + 1).expect("small");
    let streams = [1, 4, 6, 0, 1, 9, size, 0, 7, 0x0b, 1, 0, 1, 1, 0, 0x0c, size, 0, 8, 0, 0];
    let header = [&streams[..], &[5, 1, 0x11, names, 0], &name, &[0, 0]].concat();
    let place = [u64::from(size).to_le_bytes(), (header.len() as u64).to_le_bytes()].concat();
    [b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0", &place[..], &[0; 4], content, &header].concat()
}

pub(crate) fn cabinet(name: &str) -> Vec<u8> {
    let mut cabinet = vec![0; 36];
    cabinet[..4].copy_from_slice(b"MSCF");
    cabinet[16] = 36;
    cabinet[28] = 1;
    cabinet.extend([0; 16]);
    [&cabinet[..], name.as_bytes(), b"\0"].concat()
}

/// What stands in a compound file: a storage (a path that ends in `/`) with its class, or a stream with its octets.
pub(crate) fn compound(objects: &[(&str, &[u8])]) -> Vec<u8> {
    const SECTOR: usize = 512;
    let directory_sectors = (objects.len() + 1).div_ceil(4);
    let sectors = |content: &[u8]| content.len().div_ceil(SECTOR);
    let (mut chains, mut data) = (vec![0xffff_fffd_u32], Vec::new());
    let chain = |chains: &mut Vec<u32>, count: usize| {
        let start = chains.len();
        chains.extend((1..count).map(|at| u32::try_from(start + at).expect("small")));
        chains.extend((0 < count).then_some(0xffff_fffe));
        u32::try_from(start).expect("small")
    };
    chain(&mut chains, directory_sectors);
    let mut entries =
        vec![directory_entry("Root Entry", 5, &[0; 16], [u32::MAX, children_of(objects, "")], (u32::MAX, 0))];
    for (at, (path, content)) in objects.iter().enumerate() {
        let next = next_sibling(objects, at);
        let name = path.trim_end_matches('/').rsplit('/').next().expect("a name");
        if path.ends_with('/') {
            let class: [u8; 16] = (*content).try_into().unwrap_or_default();
            entries.push(directory_entry(name, 1, &class, [next, children_of(objects, path)], (u32::MAX, 0)));
        } else {
            let start = chain(&mut chains, sectors(content));
            entries.push(directory_entry(name, 2, &[0; 16], [next, u32::MAX], (start, content.len())));
            data.extend_from_slice(content);
            data.resize(data.len().next_multiple_of(SECTOR), 0);
        }
    }
    let mut directory = entries.concat();
    directory.resize(directory_sectors * SECTOR, 0);
    let mut table: Vec<u8> = chains.into_iter().flat_map(u32::to_le_bytes).collect();
    assert!(table.len() <= SECTOR, "small test files");
    table.resize(SECTOR, 0xff);
    [compound_header(), table, directory, data].concat()
}

fn compound_header() -> Vec<u8> {
    let mut header = vec![0; 76];
    header[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    header[0x1e] = 9;
    header[0x30] = 1;
    header[0x3c..0x40].copy_from_slice(&[0xff; 4]);
    header[0x44..0x48].copy_from_slice(&[0xff; 4]);
    header.extend([0; 4]);
    header.resize(512, 0xff);
    header
}

fn parent(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rfind('/').map_or("", |at| &path[..=at])
}

fn children_of(objects: &[(&str, &[u8])], storage: &str) -> u32 {
    let child = objects.iter().position(|(path, _)| parent(path) == storage);
    child.map_or(u32::MAX, |at| u32::try_from(at + 1).expect("small"))
}

fn next_sibling(objects: &[(&str, &[u8])], at: usize) -> u32 {
    let storage = parent(objects[at].0);
    let next = (at + 1..objects.len()).find(|next| parent(objects[*next].0) == storage);
    next.map_or(u32::MAX, |at| u32::try_from(at + 1).expect("small"))
}

fn directory_entry(
    name: &str,
    kind: u8,
    class: &[u8; 16],
    [next, child]: [u32; 2],
    (start, size): (u32, usize),
) -> Vec<u8> {
    let mut entry = vec![0; 128];
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    entry[..name.len()].copy_from_slice(&name);
    entry[64] = u8::try_from(name.len() + 2).expect("short");
    entry[66] = kind;
    entry[68..72].copy_from_slice(&u32::MAX.to_le_bytes());
    entry[72..76].copy_from_slice(&next.to_le_bytes());
    entry[76..80].copy_from_slice(&child.to_le_bytes());
    entry[80..96].copy_from_slice(class);
    entry[116..120].copy_from_slice(&start.to_le_bytes());
    entry[120..124].copy_from_slice(&little(size));
    entry
}

/// A module of VBA as it is compressed: nothing repeated, so every token is a letter.
pub(crate) fn module(source: &str) -> Vec<u8> {
    // What every module begins with, in the form that Office gives it: eight letters, then `e `.
    let tokens: Vec<u8> = source.as_bytes().chunks(8).flat_map(|letters| [&[0], letters].concat()).collect();
    let header = u16::try_from(tokens.len() - 1).expect("small") | 0xb000;
    [b"compiled\x01", &header.to_le_bytes()[..], &tokens].concat()
}

/// A file that was dragged into a document.
pub(crate) fn package(name: &str, content: &[u8]) -> Vec<u8> {
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    let temporary = text(name);
    let body = [
        &[2, 0][..],
        &text(name),
        &text(&format!("C:\\{name}")),
        &[0, 0, 3, 0],
        &little(temporary.len()),
        &temporary,
        &little(content.len()),
        content,
    ]
    .concat();
    [&little(body.len())[..], &body].concat()
}

/// The body of a file, numbered from 1, with nothing else around it.
pub(crate) fn pdf(objects: &[&[u8]]) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    for (number, object) in (1..).zip(objects) {
        file.extend([format!("{number} 0 obj\n").as_bytes(), object, b"\nendobj\n"].concat());
    }
    [&file[..], b"trailer<</Root 1 0 R>>\n%%EOF"].concat()
}

pub(crate) fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<<{dictionary}/Length {}>>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}
