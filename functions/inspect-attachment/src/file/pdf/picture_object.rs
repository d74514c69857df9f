//! Pictures of a PDF file (ISO 32000-2 §8.9.5): JPEG files, and plain samples.

use super::{
    Dictionary, File,
    objects::{Stream, Value},
};
use crate::file::{
    budget::{Budget, Limit},
    contents::Contents,
    picture::{self, Format, Samples},
};

impl<'a> File<'a> {
    /// Looks for codes in a picture. Those packed as JPEG 2000, JBIG2 or facsimile are left out.
    pub(super) fn picture(
        &self,
        dictionary: &Dictionary<'a>,
        stream: Stream<'a>,
        budget: &mut Budget,
        contents: &mut Contents<'static>,
    ) -> Result<(), Limit> {
        let number = |keys: [&[u8]; 2]| self.number(keys.iter().find_map(|key| dictionary.get(key)));
        let (Some(width), Some(height)) = (number([b"Width", b"W"]), number([b"Height", b"H"])) else { return Ok(()) };
        let is_plain = self.packing(dictionary, budget)?.is_known();
        if is_plain {
            budget.take_picture(width, height)?;
        }
        let octets = budget.of_picture(|budget| self.unpack(dictionary, stream, budget))?;
        if !is_plain {
            if let Some(format) = Format::of(&octets) {
                contents.append(picture::read(format, &octets, budget));
            }
            return Ok(());
        }
        let bits = number([b"BitsPerComponent", b"BPC"]).unwrap_or(1);
        let palette = self.palette(dictionary, budget)?;
        if let Some(luma) = (Samples { width, height, bits, octets: &octets, palette: palette.as_deref() }).luma() {
            picture::look(&luma, contents);
        }
        Ok(())
    }

    /// Red, green and blue of each number, where samples are numbers of colours (§8.6.6.3).
    fn palette(&self, dictionary: &Dictionary<'a>, budget: &mut Budget) -> Result<Option<Vec<u8>>, Limit> {
        let space = [&b"ColorSpace"[..], b"CS"].iter().find_map(|key| dictionary.get(key));
        let Some(Value::Array(space)) = space.and_then(|space| self.resolve(space)) else { return Ok(None) };
        let is_indexed = matches!(space.first(), Some(Value::Name(name)) if matches!(name.as_ref(), b"Indexed" | b"I"));
        match space.last() {
            Some(Value::Text(colours)) if is_indexed => {
                budget.take_reread(colours.len())?;
                Ok(Some(colours.clone()))
            }
            Some(Value::Reference(number)) if is_indexed => match self.versions(*number).next() {
                Some(object) => Ok(Some(self.octets_of(object, budget)?)),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }
}
