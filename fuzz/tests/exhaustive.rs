//! All short sequences of a small alphabet of inputs keep the contract.

#[test]
fn every_short_sequence_keeps_the_contract() {
    let states = ringcentral_ws_fuzz::targets::exhaust(4);
    println!("{states} states");
    assert_eq!(states, 4 * (1 + 12 + 144 + 1728 + 20_736));
}
