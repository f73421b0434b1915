//! Appending to a file of lines.

use crate::FileError;
use crate::disk::{self, folder_of};
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Appends a line to a file and syncs it to the disk. The file is created if it does not exist.
///
/// A last line without a line break was cut off when a process was killed or the power failed; the new line
/// replaces it. `line` must not contain a line break.
///
/// # Errors
/// An operation of the file system fails.
pub fn append_line(path: &Path, line: &[u8]) -> Result<(), FileError> {
    debug_assert!(!line.contains(&b'\n'), "one line");
    let failed = || FileError::io("write", path);
    let mut file = if path.exists() {
        OpenOptions::new().read(true).write(true).open(path).map_err(failed())?
    } else {
        disk::create(path).map_err(failed())?
    };
    let end = end_of_lines(&file).map_err(failed())?;
    file.set_len(end).map_err(failed())?;
    file.seek(SeekFrom::Start(end)).map_err(failed())?;
    file.write_all(&[line, b"\n"].concat()).map_err(failed())?;
    disk::sync_file(&file, path).map_err(failed())?;
    // With the first line, the name of the file has to be synced too.
    if end == 0 { disk::sync_folder(folder_of(path)).map_err(failed()) } else { Ok(()) }
}

/// The position after the last whole line. The file is read backwards from its end, because it may be long.
fn end_of_lines(mut file: &std::fs::File) -> std::io::Result<u64> {
    const STEP: u64 = 1 << 16;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::append_line;

    #[test]
    fn a_cut_line_makes_room_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        for line in ["one", "two"] {
            append_line(&path, line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        std::fs::write(&path, format!("one\n{}", "x".repeat(200_000))).unwrap();
        append_line(&path, b"three").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\nthree\n");
        std::fs::write(&path, "cut").unwrap();
        append_line(&path, b"four").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
    }
}
