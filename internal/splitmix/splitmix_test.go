package splitmix

import "testing"

// TestNext holds the numbers to those of the reference program, splitmix64.c by Sebastiano Vigna, for the seed 1234567.
func TestNext(t *testing.T) {
	z := uint64(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := Next(z); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
		z += Gamma
	}
}

// TestAt pins numbers of At, which runs of earlier versions follow from, and holds that it tells places apart.
func TestAt(t *testing.T) {
	if a, b := At(1, 2, 3), At(1<<63, 7, 1<<40); a != 0x76e36d629cae6121 || b != 0xa708be95c1416013 {
		t.Errorf("At gives %#x and %#x, want 0x76e36d629cae6121 and 0xa708be95c1416013", a, b)
	}
	seen := map[uint64]bool{}
	for seed := range uint64(4) {
		for stream := range uint64(4) {
			for i := range uint64(4) {
				seen[At(seed, stream, i)] = true
			}
		}
	}
	if len(seen) != 64 {
		t.Errorf("%d numbers of 64 places", len(seen))
	}
}
