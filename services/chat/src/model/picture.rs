//! Pictures: what one is by its own bytes, and its thumbnails. Everything here comes from strangers.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::limits::{PICTURE_DECODE_BYTES_MAX, PICTURE_PIXELS_MAX, PICTURE_SIDE_MAX};
use super::{ChatError, ThumbnailSize};

/// How good a JPEG is, of 100: smaller files at no difference that a thumbnail shows.
const JPEG_QUALITY: u8 = 82;

/// A picture as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What a picture says of itself at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PictureKind {
    pub(crate) content_type: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// The content type of a picture that we can read, by its first bytes and not by what somebody says it is.
pub(crate) fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => Some("image/jpeg"),
        ImageFormat::Png => Some("image/png"),
        ImageFormat::Gif => Some("image/gif"),
        ImageFormat::WebP => Some("image/webp"),
        _ => None,
    }
}

/// The formats that are read here; all others, SVG first of all, are not pictures to us.
fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes).ok()?;
    matches!(
        format,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP
    )
    .then_some(format)
}

/// Type and size of a picture within our limits.
///
/// # Errors
/// [`ChatError::NoPicture`] and [`ChatError::TooLarge`].
pub(crate) fn look_at_picture(bytes: &[u8]) -> Result<PictureKind, ChatError> {
    let content_type = picture_type(bytes).ok_or(ChatError::NoPicture)?;
    let decoder = open(bytes)?;
    let (width, height) = decoder.dimensions();
    Ok(PictureKind {
        content_type,
        width,
        height,
    })
}

/// Makes a thumbnail: the first image of a moving one, turned as the camera was held, and without anything that the
/// file told beside its pixels (where it was taken, by whom, with what).
///
/// # Errors
/// [`ChatError::NoPicture`] for what cannot be read, [`ChatError::TooLarge`] for what is over the limits.
pub(crate) fn thumbnail_of(bytes: &[u8], size: ThumbnailSize) -> Result<Picture, ChatError> {
    let mut decoder = open(bytes)?;
    let orientation = decoder.orientation().map_err(refuse)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    // Turned first when it is small enough to be cheap, which it is after the first step: lengths are swapped here.
    let (width, height) = (image.width(), image.height());
    let turned = matches!(
        orientation,
        image::metadata::Orientation::Rotate90
            | image::metadata::Orientation::Rotate270
            | image::metadata::Orientation::Rotate90FlipH
            | image::metadata::Orientation::Rotate270FlipH
    );
    let fit = if turned {
        size.fit(height, width)
    } else {
        size.fit(width, height)
    };
    let whole = if turned {
        (fit.whole.1, fit.whole.0)
    } else {
        fit.whole
    };
    if whole != (width, height) {
        image = image.thumbnail_exact(whole.0, whole.1);
    }
    image.apply_orientation(orientation);
    if fit.size != fit.whole {
        image = image.crop_imm(fit.corner.0, fit.corner.1, fit.size.0, fit.size.1);
    }
    encode(&image)
}

/// Opens a picture whose format is known and whose size is within the limits, before any pixel is read.
fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, ChatError> {
    let format = format_of(bytes).ok_or(ChatError::NoPicture)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX || pixels > PICTURE_PIXELS_MAX {
        return Err(too_large());
    }
    if decoder.total_bytes() > PICTURE_DECODE_BYTES_MAX {
        return Err(too_large());
    }
    if pixels == 0 {
        return Err(ChatError::NoPicture);
    }
    decoder.set_limits(limits()).map_err(refuse)?;
    Ok(decoder)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE_MAX);
    limits.max_image_height = Some(PICTURE_SIDE_MAX);
    // The pixels, and as much again for what a decoder needs beside them.
    limits.max_alloc = Some(PICTURE_DECODE_BYTES_MAX * 2);
    limits
}

fn too_large() -> ChatError {
    ChatError::TooLarge(format!(
        "a picture that is made smaller has at most {PICTURE_PIXELS_MAX} pixels, and {PICTURE_SIDE_MAX} on a side"
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn refuse(error: ImageError) -> ChatError {
    match error {
        ImageError::Limits(_) => too_large(),
        _ => ChatError::NoPicture,
    }
}

/// Writes pixels and nothing else: PNG where some can be seen through, and JPEG otherwise.
fn encode(image: &DynamicImage) -> Result<Picture, ChatError> {
    let (width, height) = (image.width(), image.height());
    let mut bytes = Vec::new();
    let content_type = if image.color().has_alpha() {
        let plain = DynamicImage::ImageRgba8(image.to_rgba8());
        plain
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .map_err(refuse)?;
        "image/png"
    } else {
        JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
            .encode_image(&image.to_rgb8())
            .map_err(refuse)?;
        "image/jpeg"
    };
    Ok(Picture {
        bytes,
        content_type,
        width,
        height,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::ThumbnailMethod;
    use proptest::prelude::*;

    fn sample(format: ImageFormat) -> Vec<u8> {
        let pixel = |x: u32, y: u32| image::Rgb([x, y, x ^ y].map(|part| u8::try_from(part % 256).unwrap()));
        let picture: DynamicImage = image::RgbImage::from_fn(40, 30, pixel).into();
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn a_damaged_picture_is_refused_or_shown_and_never_a_panic(
            format in prop_oneof![
                Just(ImageFormat::Jpeg), Just(ImageFormat::Png), Just(ImageFormat::Gif), Just(ImageFormat::WebP)
            ],
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            kept in any::<prop::sample::Index>(),
        ) {
            let mut bytes = sample(format);
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(kept.index(bytes.len()) + 1);
            let size = ThumbnailSize::for_wish(ThumbnailMethod::Crop, 32, 32).unwrap();
            if let Ok(made) = thumbnail_of(&bytes, size) {
                prop_assert!(made.width <= 32 && made.height <= 32);
            }
            let _ = look_at_picture(&bytes);
        }
    }
}
