//! What a mistake in a service trait is answered with: each file of `ui/` beside the compiler's words.

#[test]
fn mistakes_are_pointed_at() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
