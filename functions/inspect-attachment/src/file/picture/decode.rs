//! Pictures as light: what a program would show of them, on white and, where they let the ground through, on black.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, DisposalMethod, Frame, MemoryLimit};
use image_webp::WebPDecoder;
use png::{Decoder, Transformations};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use super::{bitmap, luma::Luma};
use crate::file::budget::{Budget, Limit};

/// Points of all frames of one animation that are unpacked.
const MAX_ANIMATED: usize = 16 << 20;

/// Frames of one animation that are looked at.
const MAX_FRAMES: usize = 8;

/// How long a frame has to stay for a reader to take it up, in hundredths of a second.
const STAYS: u16 = 30;

/// Passes over a JPEG file; a progressive one has ten.
const MAX_SCANS: usize = 24;

/// Octets that an animation or a lossless picture takes while it is unpacked.
const MAX_MEMORY: usize = 128 << 20;

/// How pictures are packed that mail programs show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
    Bitmap,
}

/// What became of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpacked {
    /// As far as it is sound.
    Whole,
    /// An animation has frames that were not looked at.
    Part,
}

impl Format {
    /// By its first octets.
    pub(crate) fn of(octets: &[u8]) -> Option<Self> {
        match octets {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => bitmap::is_bitmap(octets).then_some(Self::Bitmap),
        }
    }

    /// Hands out what there is to see. A picture that nobody can open shows nothing.
    ///
    /// # Errors
    /// The limit that the picture breaks, before it is unpacked.
    pub(super) fn show(
        self,
        octets: &[u8],
        budget: &mut Budget,
        show: &mut dyn FnMut(&Luma),
    ) -> Result<Unpacked, Limit> {
        match self {
            Self::Png => png(octets, budget, show)?,
            Self::Jpeg => jpeg(octets, budget, show)?,
            Self::Gif => return gif(octets, budget, show),
            Self::WebP => webp(octets, budget, show)?,
            Self::Bitmap => {
                if let Some(bitmap) = bitmap::Bitmap::parse(octets) {
                    budget.take_picture(bitmap.width, bitmap.height)?;
                    show(&bitmap.luma());
                }
            }
        }
        Ok(Unpacked::Whole)
    }
}

fn png(octets: &[u8], budget: &mut Budget, show: &mut dyn FnMut(&Luma)) -> Result<(), Limit> {
    let mut decoder = Decoder::new(Cursor::new(octets));
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    // Browsers do not look at them either.
    decoder.ignore_checksums(true);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let Ok(mut reader) = decoder.read_info() else { return Ok(()) };
    let (width, height) = size(reader.info().width, reader.info().height);
    budget.take_picture(width, height)?;
    let Some(length) = reader.output_buffer_size() else { return Ok(()) };
    let mut pixels = vec![u8::MAX; length];
    // What stands before the damage is shown.
    let _ = reader.next_frame(&mut pixels);
    show_pixels(width, height, reader.output_color_type().0.samples(), &pixels, show);
    Ok(())
}

fn jpeg(octets: &[u8], budget: &mut Budget, show: &mut dyn FnMut(&Luma)) -> Result<(), Limit> {
    let options = DecoderOptions::default().set_max_width(usize::MAX).set_max_height(usize::MAX);
    let options = options.jpeg_set_max_scans(MAX_SCANS).jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(octets), options);
    if decoder.decode_headers().is_err() {
        return Ok(());
    }
    let Some((width, height)) = decoder.dimensions() else { return Ok(()) };
    budget.take_picture(width, height)?;
    let is_plain = matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr | ColorSpace::Luma));
    if !is_plain {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::RGB));
    }
    let Some(length) = decoder.output_buffer_size() else { return Ok(()) };
    let mut pixels = vec![u8::MAX; length];
    let _ = decoder.decode_into(&mut pixels);
    show_pixels(width, height, if is_plain { 1 } else { 3 }, &pixels, show);
    Ok(())
}

fn webp(octets: &[u8], budget: &mut Budget, show: &mut dyn FnMut(&Luma)) -> Result<(), Limit> {
    let Ok(mut decoder) = WebPDecoder::new(Cursor::new(octets)) else { return Ok(()) };
    decoder.set_memory_limit(MAX_MEMORY);
    let (width, height) = decoder.dimensions();
    let (width, height) = size(width, height);
    budget.take_picture(width, height)?;
    let Some(length) = decoder.output_buffer_size() else { return Ok(()) };
    let mut pixels = vec![u8::MAX; length];
    let _ = decoder.read_image(&mut pixels);
    show_pixels(width, height, if decoder.has_alpha() { 4 } else { 3 }, &pixels, show);
    Ok(())
}

/// The first frame, the last, and those that stay for a while.
fn gif(octets: &[u8], budget: &mut Budget, show: &mut dyn FnMut(&Luma)) -> Result<Unpacked, Limit> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // Points are limited, before any is unpacked.
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.allow_unknown_blocks(true);
    let Ok(mut decoder) = options.read_info(octets) else { return Ok(Unpacked::Whole) };
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    budget.take_picture(width, height)?;
    let mut canvas = vec![0; width * height * 4];
    let (mut left, mut shown, mut is_last_shown) = (MAX_ANIMATED, 0, true);
    while let Ok(Some(frame)) = decoder.next_frame_info() {
        let (stays, points) = (frame.delay, usize::from(frame.width) * usize::from(frame.height));
        let Some(less) = left.checked_sub(points.max(1_000)).filter(|_| points <= MAX_ANIMATED) else {
            return Ok(Unpacked::Part);
        };
        left = less;
        let mut pixels = vec![0; decoder.buffer_size()];
        // What stands before the damage is shown.
        let _ = decoder.read_into_buffer(&mut pixels);
        let Some(frame) = decoder.current_frame_info() else { break };
        paint(&mut canvas, width, frame, &pixels);
        is_last_shown = shown == 0 || STAYS <= stays && shown < MAX_FRAMES;
        if is_last_shown {
            show_frame(&mut shown, width, height, &canvas, budget, show)?;
        }
        if frame.dispose == DisposalMethod::Background {
            paint(&mut canvas, width, frame, &[]);
        }
    }
    if !is_last_shown {
        show_frame(&mut shown, width, height, &canvas, budget, show)?;
    }
    Ok(if MAX_FRAMES < shown { Unpacked::Part } else { Unpacked::Whole })
}

fn show_frame(
    shown: &mut usize,
    width: usize,
    height: usize,
    canvas: &[u8],
    budget: &mut Budget,
    show: &mut dyn FnMut(&Luma),
) -> Result<(), Limit> {
    if 0 < *shown {
        budget.take_picture(width, height)?;
    }
    *shown += 1;
    show_pixels(width, height, 4, canvas, show);
    Ok(())
}

/// Puts a frame over those before it; without pixels, takes it away.
fn paint(canvas: &mut [u8], width: usize, frame: &Frame<'_>, pixels: &[u8]) {
    let [left, top, columns] = [frame.left, frame.top, frame.width].map(usize::from);
    let room = width.saturating_sub(left).min(columns) * 4;
    let rows = canvas.chunks_exact_mut((width * 4).max(1)).skip(top).take(usize::from(frame.height));
    for (number, row) in rows.enumerate() {
        let Some(row) = row.get_mut(left * 4..left * 4 + room) else { return };
        if pixels.is_empty() {
            row.fill(0);
            continue;
        }
        let from = pixels.get(number * columns * 4..).unwrap_or_default();
        for (old, new) in row.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<4>().0) {
            if new[3] != 0 {
                *old = *new;
            }
        }
    }
}

fn size(width: u32, height: u32) -> (usize, usize) {
    [width, height].map(|side| usize::try_from(side).unwrap_or(usize::MAX)).into()
}

/// Of 1 to 4 samples a point: grey, grey and alpha, colours, colours and alpha.
fn show_pixels(width: usize, height: usize, samples: usize, pixels: &[u8], show: &mut dyn FnMut(&Luma)) {
    let on = |ground: u8| {
        let light = pixels.chunks_exact(samples.max(1)).map(|pixel| match *pixel {
            [grey] => grey,
            [grey, alpha] => over(grey, alpha, ground),
            [red, green, blue] => light_of(red, green, blue),
            [red, green, blue, alpha] => over(light_of(red, green, blue), alpha, ground),
            _ => ground,
        });
        Luma::new(width, height, light.collect())
    };
    show(&on(u8::MAX));
    let lets_through = |pixel: &[u8]| matches!(pixel, [_, alpha] | [_, _, _, alpha] if *alpha < u8::MAX);
    if pixels.chunks_exact(samples.max(1)).any(lets_through) {
        show(&on(0));
    }
}

fn over(light: u8, alpha: u8, ground: u8) -> u8 {
    let [light, alpha, ground] = [light, alpha, ground].map(u32::from);
    u8::try_from((light * alpha + ground * (255 - alpha)) / 255).unwrap_or(u8::MAX)
}

/// ITU-R BT.601.
pub(super) fn light_of(red: u8, green: u8, blue: u8) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    u8::try_from((299 * red + 587 * green + 114 * blue) / 1000).unwrap_or(u8::MAX)
}
