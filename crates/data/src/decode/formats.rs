//! The formats that videos may have.

/// The formats that are read, by ffmpeg's names. Each is a single file that holds all of its content. Left out are:
/// - what refers to other files or to the network: `concat`, `hls`, `dash`, `image2`, `imf`, `mlv`, `sdp`, `webm_dash_manifest`;
/// - what runs scripts, reads devices or draws by itself: `avisynth`, `vapoursynth`, `lavfi`, `x11grab`, `v4l2`;
/// - single pictures, and what takes any bytes or text for a picture: `*_pipe`, `rawvideo`, `tty`, `bin`, `xbin`, `idf`.
///
/// A version of ffmpeg that lacks one of them ignores its name.
pub const FORMATS: &str = "avi,mov,mp4,matroska,webm,mpeg,mpegts,mpegvideo,m4v,flv,ogg,asf,nut,gif,apng,dv,mxf,gxf,h261,h263,\
                           h264,hevc,vvc,av1,obu,ivf,vc1,vc1test,dirac,cavsvideo,yuv4mpegpipe,wtv,rm,swf,nsv,nuv";

/// Returns the format of a still picture that begins with these bytes.
pub(super) fn still(head: &[u8]) -> Option<&'static str> {
    // The brands of single pictures in a container of tracks; those of sequences are others (`avis`, `msf1`, `hevc`).
    let brands: [&[u8]; 6] = [b"avif", b"heic", b"heix", b"heim", b"mif1", b"mif2"];
    if head.get(4..8) == Some(b"ftyp") && head.get(8..12).is_some_and(|brand| brands.contains(&brand)) {
        return Some("HEIF or AVIF");
    }
    let begins = |mark: &[u8]| head.starts_with(mark);
    Some(match () {
        () if begins(b"\x89PNG\r\n\x1a\n") => "PNG",
        () if begins(b"\xff\xd8\xff") => "JPEG",
        () if begins(b"GIF8") => "GIF",
        () if begins(b"BM") => "BMP",
        () if begins(b"II*\0") || begins(b"MM\0*") => "TIFF",
        () if begins(b"RIFF") && head.get(8..12) == Some(b"WEBP") => "WebP",
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_no_format() {
        let elsewhere = [
            "concat",
            "hls",
            "dash",
            "image2",
            "image2pipe",
            "imf",
            "mlv",
            "sdp",
            "lavfi",
            "tee",
            "avisynth",
            "vapoursynth",
            "rawvideo",
            "tty",
            "png_pipe",
            "jpeg_pipe",
            "webm_dash_manifest",
            "rtsp",
        ];
        let formats: Vec<&str> = FORMATS.split(',').collect();
        for name in elsewhere {
            assert!(!formats.contains(&name), "{name}");
        }
        let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        assert!(formats.iter().all(plain), "a blank or a line break in the list");
    }

    #[test]
    fn pictures_are_told_from_videos() {
        for (head, expected) in [
            (&b"\0\0\0\x1cftypavif"[..], Some("HEIF or AVIF")),
            (b"\0\0\0\x1cftypavis", None),
            (b"\0\0\0\x1cftypisom", None),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("JPEG")),
            (b"RIFF\0\0\0\0WEBP", Some("WebP")),
            (b"RIFF\0\0\0\0AVI ", None),
            (b"", None),
        ] {
            assert_eq!(still(head), expected, "{head:?}");
        }
    }
}
