package emu_test

import (
	"fmt"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
)

const doublePTX = `
.version 8.0
.target sm_80
.address_size 64
.visible .entry twice(.param .u64 y, .param .u32 n)
{
	.reg .pred %p<2>;
	.reg .f32 %f<3>;
	.reg .b32 %r<5>;
	.reg .b64 %rd<4>;
	ld.param.u64 %rd1, [y];
	ld.param.u32 %r1, [n];
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %ntid.x;
	mov.u32 %r4, %tid.x;
	mad.lo.s32 %r2, %r2, %r3, %r4;
	setp.ge.u32 %p1, %r2, %r1;
	@%p1 bra $end;
	mul.wide.u32 %rd2, %r2, 4;
	add.s64 %rd3, %rd1, %rd2;
	ld.global.f32 %f1, [%rd3];
	add.f32 %f2, %f1, %f1;
	st.global.f32 [%rd3], %f2;
$end:
	ret;
}`

func ExampleRun() {
	y := []float32{1, 2, 3}
	emu.Run(new(testing.T), doublePTX, "twice", emu.Dim{X: 1, Y: 1, Z: 1}, emu.Dim{X: 32, Y: 1, Z: 1}, y, uint32(3))
	fmt.Println(y)
	_, err := emu.Try(emu.Options{}, doublePTX, emu.Launch{Grid: emu.Dim{X: 1, Y: 1, Z: 1}, Block: emu.Dim{X: 32, Y: 1, Z: 1}}, "twice", y, uint32(4))
	fmt.Println(err.(*emu.Fault).Detail)
	// Output:
	// [2 4 6]
	// read of 4 bytes at 0x40000000000c: 0 bytes past the end of "argument 0" with 12 bytes
}
