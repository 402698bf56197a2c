//! Makes clips with ffmpeg on any machine: ffmpeg's own sources, encoded as a test requires.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs ffmpeg.
///
/// # Panics
/// If ffmpeg is missing or fails.
pub fn ffmpeg<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("ffmpeg failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "ffmpeg is missing; this test makes its clips with it. Install it with `apt-get install ffmpeg` \
             (Debian, Ubuntu) or `brew install ffmpeg` (macOS)"
        ),
        Err(error) => panic!("cannot start ffmpeg: {error}"),
    }
}

/// Draws a clip of `size` (width, height) from sources with a number of frames each, one after the other, so that there is a
/// hard cut between two sources. A source is one of ffmpeg's moving ones, with its options: `testsrc2`,
/// `mandelbrot=start_scale=1`. `encode` names the codec and its options, such as `-c:v mpeg4`; the extension of the file
/// names the container.
///
/// # Panics
/// As for [`ffmpeg`].
pub fn draw(path: &Path, sources: &[(&str, usize)], size: (usize, usize), encode: &[&str]) {
    let mut arguments = Vec::new();
    let (mut cut, mut joined) = (String::new(), String::new());
    for (index, (source, frames)) in sources.iter().enumerate() {
        let options = if source.contains('=') { ':' } else { '=' };
        let input = format!("{source}{options}size={}x{}:rate=25", size.0, size.1);
        arguments.extend(["-f".to_owned(), "lavfi".to_owned(), "-i".to_owned(), input]);
        cut += &format!("[{index}:v]trim=end_frame={frames},format=yuv420p,setsar=1[p{index}];");
        joined += &format!("[p{index}]");
    }
    let graph = format!("{cut}{joined}concat=n={}", sources.len());
    arguments.extend(["-filter_complex".to_owned(), graph]);
    arguments.extend(encode.iter().map(|&argument| argument.to_owned()));
    let exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact"].map(OsStr::new);
    ffmpeg(arguments.iter().map(OsStr::new).chain(exact).chain([path.as_os_str()]));
}

/// Returns the bytes of a clip made by [`draw`]; `ending` is the extension of its file.
///
/// # Panics
/// As [`ffmpeg`].
#[must_use]
pub fn drawn(ending: &str, sources: &[(&str, usize)], size: (usize, usize), encode: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(format!("clip.{ending}"));
    draw(&path, sources, size, encode);
    std::fs::read(path).expect("ffmpeg has written the clip")
}
