//! The hash of a file's content.

use crate::FileError;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// The SHA-256 of a file's content, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String, FileError> {
    let failed = || FileError::io("read", path);
    let mut file = std::fs::File::open(path).map_err(failed())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed())? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// Bytes in lowercase hexadecimal, as `sha256sum` prints them.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_sha256sum_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // The example of one block in FIPS 180-4.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::sha256(&path).unwrap(), expected);
        let error = super::sha256(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read ") && error.contains("none"), "{error}");
    }
}
