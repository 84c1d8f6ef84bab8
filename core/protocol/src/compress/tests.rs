use super::*;

fn all() -> Vec<(CompressType, Arc<dyn Compressor>)> {
    let compressors = Compressors::default();
    (0..8).filter_map(CompressType::new).filter_map(|ty| Some((ty, compressors.get(ty)?.clone()))).collect()
}

fn compressed(compressor: &dyn Compressor, input: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    compressor.compress(input, &mut out).unwrap();
    assert_eq!(out[..6], *b"before");
    out.split_off(6)
}

#[test]
fn payloads_of_any_size_come_back() {
    for (ty, compressor) in all() {
        for size in [0, 1, 1024, 1025, 65_535, 65_536, 65_537, 1 << 20] {
            let input = (0..size).map(|i: usize| (i * i / 7) as u8).collect::<Vec<_>>();
            let wire = compressed(&*compressor, &input);
            let mut back = b"before".to_vec();
            compressor.decompress(&wire, &mut back, size).unwrap_or_else(|error| panic!("{ty} {size}: {error}"));
            assert!(back[..6] == *b"before" && back[6..] == input, "{ty} {size}");
        }
    }
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    for (ty, compressor) in all() {
        let bomb = compressed(&*compressor, &vec![0; 1 << 20]);
        for limit in [0, 1, 1000, 100_000] {
            let mut out = Vec::new();
            let error = compressor.decompress(&bomb, &mut out, limit).unwrap_err();
            assert_eq!(error, CompressError::TooLarge { limit }, "{ty}");
            assert!(out.is_empty() && out.capacity() <= limit.max(8), "{ty}: {}", out.capacity());
        }
    }
}

#[test]
fn a_large_limit_reserves_little() {
    for (ty, compressor) in all() {
        let wire = compressed(&*compressor, &[1; 10_000]);
        let mut out = Vec::new();
        compressor.decompress(&wire, &mut out, 1 << 40).unwrap();
        assert!(out.capacity() <= 20_000, "{ty}: {}", out.capacity());
    }
}

#[test]
fn damage_is_found_and_leaves_the_output_alone() {
    for (ty, compressor) in all() {
        let wire = compressed(&*compressor, &[1; 3000]);
        let refuse = |what: &str, input: &[u8]| {
            let mut out = b"before".to_vec();
            let result = compressor.decompress(input, &mut out, 1 << 20);
            assert!(matches!(result, Err(CompressError::Corrupt(_))), "{ty}, {what}: {result:?}");
            assert_eq!(out, b"before", "{ty}, {what}");
        };
        refuse("cut", &wire[..wire.len() - 1]);
        if ty != CompressType::SNAPPY {
            // A framed Snappy stream has no end of its own, and may be empty.
            (0..wire.len()).for_each(|len| refuse(&format!("{len} bytes"), &wire[..len]));
        }
        refuse("trailing bytes", &[&wire[..], b"x"].concat());
        refuse("plain text", b"{\"C\":6}");
    }
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_takes_several_members() {
    let wire = [compressed(&Gzip, b"one "), compressed(&Gzip, b""), compressed(&Gzip, b"two")].concat();
    let mut out = Vec::new();
    Gzip.decompress(&wire, &mut out, 7).unwrap();
    assert_eq!(out, b"one two");
}

#[test]
fn compressors_can_be_replaced() {
    struct Nothing;
    impl Compressor for Nothing {
        fn compress(&self, _: &[u8], _: &mut Vec<u8>) -> Result<(), CompressError> {
            Ok(())
        }
        fn decompress(&self, _: &[u8], _: &mut Vec<u8>, _: usize) -> Result<(), CompressError> {
            Ok(())
        }
    }
    let mut compressors = Compressors::none();
    let six = CompressType::new(6).unwrap();
    assert!(compressors.get(six).is_none());
    compressors.set(six, Arc::new(Nothing));
    compressors.set(CompressType::NONE, Arc::new(Nothing));
    assert!(compressors.get(six).is_some() && compressors.get(CompressType::NONE).is_none());
    assert_eq!(format!("{compressors:?}"), "{6}");
    compressors.remove(six);
    assert!(compressors.get(six).is_none());
}
