//! The sizes of thumbnails and what of a picture each shows (client-server API, "Thumbnails").

use std::str::FromStr;

use super::ChatError;

/// How a picture is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThumbnailMethod {
    /// Its middle, in the shape that was asked for.
    Crop,
    /// All of it, in its own shape.
    Scale,
}

impl FromStr for ThumbnailMethod {
    type Err = ChatError;

    fn from_str(word: &str) -> Result<Self, ChatError> {
        match word {
            "crop" => Ok(Self::Crop),
            "scale" => Ok(Self::Scale),
            _ => Err(ChatError::invalid("the method of a thumbnail is crop or scale")),
        }
    }
}

/// A size that thumbnails are made in. There are few, so that nobody can fill the store with one for every pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThumbnailSize {
    method: ThumbnailMethod,
    width: u32,
    height: u32,
}

/// The specification's sizes, and two more squares for faces on dense screens. The smaller ones of a method first.
const SIZES: [ThumbnailSize; 7] = [
    ThumbnailSize::new(ThumbnailMethod::Crop, 32, 32),
    ThumbnailSize::new(ThumbnailMethod::Crop, 96, 96),
    ThumbnailSize::new(ThumbnailMethod::Crop, 320, 320),
    ThumbnailSize::new(ThumbnailMethod::Crop, 640, 640),
    ThumbnailSize::new(ThumbnailMethod::Scale, 320, 240),
    ThumbnailSize::new(ThumbnailMethod::Scale, 640, 480),
    ThumbnailSize::new(ThumbnailMethod::Scale, 800, 600),
];

/// What is cut out of a picture, and how large it becomes, all in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Size of all of the picture, made smaller.
    pub(crate) whole: (u32, u32),
    /// Where the thumbnail begins in that.
    pub(crate) corner: (u32, u32),
    /// The thumbnail's own size.
    pub(crate) size: (u32, u32),
}

impl ThumbnailSize {
    const fn new(method: ThumbnailMethod, width: u32, height: u32) -> Self {
        Self {
            method,
            width,
            height,
        }
    }

    /// The size for a wish: the smallest that is as large, or the largest.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] when nothing is wished for.
    pub(crate) fn for_wish(method: ThumbnailMethod, width: u32, height: u32) -> Result<Self, ChatError> {
        if width == 0 || height == 0 {
            return Err(ChatError::invalid(
                "a thumbnail has a width and a height of at least 1",
            ));
        }
        let mut of_method = SIZES.into_iter().filter(|size| size.method == method);
        let large_enough = of_method.find(|size| size.width >= width && size.height >= height);
        let largest = SIZES.into_iter().rev().find(|size| size.method == method);
        let chosen = large_enough.or(largest);
        Ok(chosen.unwrap_or(Self::new(method, 96, 96)))
    }

    /// What tells it from the others in the store.
    pub(crate) fn name(self) -> String {
        let method = match self.method {
            ThumbnailMethod::Crop => "crop",
            ThumbnailMethod::Scale => "scale",
        };
        format!("{method} {}x{}", self.width, self.height)
    }

    /// What a picture of this width and height becomes; never larger than it is.
    pub(crate) fn fit(self, width: u32, height: u32) -> Fit {
        let (width, height) = (width.max(1), height.max(1));
        match self.method {
            ThumbnailMethod::Scale => {
                let size = inside(width, height, self.width, self.height);
                Fit {
                    whole: size,
                    corner: (0, 0),
                    size,
                }
            }
            ThumbnailMethod::Crop => {
                let whole = around(width, height, self.width, self.height);
                let size = (whole.0.min(self.width), whole.1.min(self.height));
                // A picture smaller than the thumbnail keeps the shape that was asked for.
                let side = size.0.min(size.1);
                let size = if self.width == self.height {
                    (side, side)
                } else {
                    size
                };
                Fit {
                    whole,
                    corner: ((whole.0 - size.0) / 2, (whole.1 - size.1) / 2),
                    size,
                }
            }
        }
    }
}

/// The largest size of the picture's shape that lies inside the box.
fn inside(width: u32, height: u32, box_width: u32, box_height: u32) -> (u32, u32) {
    if width <= box_width && height <= box_height {
        return (width, height);
    }
    if is_wider(width, height, box_width, box_height) {
        (box_width, share(height, box_width, width))
    } else {
        (share(width, box_height, height), box_height)
    }
}

/// The smallest size of the picture's shape that covers the box, or the picture's own if it does not cover it.
fn around(width: u32, height: u32, box_width: u32, box_height: u32) -> (u32, u32) {
    if width <= box_width || height <= box_height {
        return (width, height);
    }
    if is_wider(width, height, box_width, box_height) {
        (share(width, box_height, height), box_height)
    } else {
        (box_width, share(height, box_width, width))
    }
}

fn is_wider(width: u32, height: u32, box_width: u32, box_height: u32) -> bool {
    u64::from(width) * u64::from(box_height) >= u64::from(height) * u64::from(box_width)
}

/// `length * part / whole`, at least 1.
fn share(length: u32, part: u32, whole: u32) -> u32 {
    let exact = u64::from(length) * u64::from(part) / u64::from(whole.max(1));
    u32::try_from(exact).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn name(method: ThumbnailMethod, width: u32, height: u32) -> String {
        ThumbnailSize::for_wish(method, width, height).unwrap().name()
    }

    #[test]
    fn a_wish_gets_the_next_larger_size() {
        use ThumbnailMethod::{Crop, Scale};
        assert_eq!(name(Crop, 1, 1), "crop 32x32");
        assert_eq!(name(Crop, 33, 20), "crop 96x96");
        assert_eq!(name(Crop, 5_000, 5_000), "crop 640x640");
        assert_eq!(name(Scale, 32, 32), "scale 320x240");
        assert_eq!(name(Scale, 320, 241), "scale 640x480");
        assert_eq!(name(Scale, 5_000, 1), "scale 800x600");
        assert!(ThumbnailSize::for_wish(Scale, 0, 9).is_err());
        assert!("stretch".parse::<ThumbnailMethod>().is_err());
    }

    #[test]
    fn a_picture_is_scaled_whole_or_cut_in_the_middle() {
        let scale = ThumbnailSize::for_wish(ThumbnailMethod::Scale, 320, 240).unwrap();
        assert_eq!(scale.fit(4_000, 3_000).size, (320, 240));
        assert_eq!(scale.fit(3_000, 4_000).size, (180, 240));
        assert_eq!(scale.fit(10_000, 1).size, (320, 1));
        assert_eq!(scale.fit(20, 10).size, (20, 10));
        let crop = ThumbnailSize::for_wish(ThumbnailMethod::Crop, 96, 96).unwrap();
        let wide = crop.fit(400, 200);
        assert_eq!(
            (wide.whole, wide.corner, wide.size),
            ((192, 96), (48, 0), (96, 96))
        );
        assert_eq!(crop.fit(50, 40).size, (40, 40));
        assert_eq!(crop.fit(1_000, 40).size, (40, 40));
    }

    proptest! {
        #[test]
        fn a_thumbnail_lies_within_the_picture_and_is_never_larger(
            index in 0..SIZES.len(), width in 1_u32..60_000, height in 1_u32..60_000,
        ) {
            let fit = SIZES[index].fit(width, height);
            prop_assert!(fit.whole.0 <= width && fit.whole.1 <= height);
            prop_assert!(fit.size.0 >= 1 && fit.size.1 >= 1);
            prop_assert!(fit.size.0 <= SIZES[index].width && fit.size.1 <= SIZES[index].height);
            prop_assert!(fit.corner.0 + fit.size.0 <= fit.whole.0 && fit.corner.1 + fit.size.1 <= fit.whole.1);
        }
    }
}
