//! Frames: a big-endian u32 length and a JSON body, at most [`crate::limits::FRAME_BYTES_MAX`].

use tokio_util::codec::LengthDelimitedCodec;

use crate::limits;

/// The codec both ends use.
pub fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .length_field_type::<u32>()
        .max_frame_length(limits::FRAME_BYTES_MAX)
        .new_codec()
}
