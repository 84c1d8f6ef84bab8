//! How Go formats what JSON leaves open: floats, bytes and characters that are special in HTML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::ser::Formatter;
use std::fmt::{Display, LowerExp};
use std::io::{self, Write};

/// Compact JSON with the choices of Go's encoding/json.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoFormatter;

/// The shortest digits that read back as the same float; with an exponent where Go writes one.
fn float<W, F>(writer: &mut W, value: F, exponent: bool) -> io::Result<()>
where
    W: Write + ?Sized,
    F: Display + LowerExp,
{
    if !exponent {
        return write!(writer, "{value}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, power)) if !power.starts_with('-') => write!(writer, "{digits}e+{power}"),
        _ => writer.write_all(text.as_bytes()),
    }
}

impl Formatter for GoFormatter {
    fn write_f32<W: Write + ?Sized>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        let size = value.abs();
        float(writer, value, size != 0.0 && !(1e-6..1e21).contains(&size))
    }

    fn write_f64<W: Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        float(writer, value, size != 0.0 && !(1e-6..1e21).contains(&size))
    }

    fn write_byte_array<W: Write + ?Sized>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        writer.write_all(b"\"")?;
        let mut buffer = [0; 4096];
        for chunk in value.chunks(buffer.len() / 4 * 3) {
            let len = STANDARD.encode_slice(chunk, &mut buffer).map_err(|error| io::Error::other(error.to_string()))?;
            writer.write_all(&buffer[..len])?;
        }
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        let mut written = 0;
        for (i, byte) in bytes.iter().enumerate() {
            let (escape, len) = match byte {
                b'<' => ("\\u003c", 1),
                b'>' => ("\\u003e", 1),
                b'&' => ("\\u0026", 1),
                0xe2 if bytes[i..].starts_with("\u{2028}".as_bytes()) => ("\\u2028", 3),
                0xe2 if bytes[i..].starts_with("\u{2029}".as_bytes()) => ("\\u2029", 3),
                _ => continue,
            };
            writer.write_all(&bytes[written..i])?;
            writer.write_all(escape.as_bytes())?;
            written = i + len;
        }
        writer.write_all(&bytes[written..])
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::json::encode;

    fn json<T: serde::Serialize>(value: T) -> String {
        let mut out = Vec::new();
        encode(&value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_have_the_form_that_go_gives_them() {
        // Each pair as encoding/json of Go 1.26 prints it.
        let doubles = [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-2.25, "-2.25"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-7"),
            (1e-10, "1e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (value, text) in doubles {
            assert_eq!(json(value), text);
        }
        for (value, text) in
            [(3.4028235e38_f32, "3.4028235e+38"), (1.5, "1.5"), (0.1, "0.1"), (1e-6, "0.000001"), (1e21, "1e+21")]
        {
            assert_eq!(json(value), text);
        }
    }

    #[test]
    fn special_characters_are_escaped_in_texts_and_keys() {
        assert_eq!(
            json("<a&b>\u{2028}\u{2029}\u{20ac}\u{7f}\"\n"),
            r#""\u003ca\u0026b\u003e\u2028\u2029€"#.to_owned() + "\u{7f}\\\"\\n\""
        );
        assert_eq!(json(std::collections::BTreeMap::from([("<", 1)])), r#"{"\u003c":1}"#);
    }

    #[test]
    fn bytes_are_base64_however_long() {
        for len in [0, 1, 2, 3, 3071, 3072, 3073, 10_000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let text = json(serde_bytes::Bytes::new(&bytes));
            let back: serde_bytes::ByteBuf = crate::codec::json::decode(text.as_bytes()).unwrap();
            assert_eq!(back.into_vec(), bytes);
        }
    }
}
