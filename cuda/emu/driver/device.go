package driver

// Init is cuInit.
func (d *Driver) Init() Result { return d.begin("cuInit") }

// DriverVersion is cuDriverGetVersion.
func (d *Driver) DriverVersion() (int, Result) { return Version, d.begin("cuDriverGetVersion") }

// DeviceCount is cuDeviceGetCount.
func (d *Driver) DeviceCount() (int, Result) { return 1, d.begin("cuDeviceGetCount") }

// DeviceGet is cuDeviceGet.
func (d *Driver) DeviceGet(ordinal int) (int, Result) { return 0, d.about("cuDeviceGet", ordinal) }

// about begins a call about a device.
func (d *Driver) about(name string, device int, args ...any) Result {
	r := d.begin(name, append([]any{"device", device}, args...)...)
	if r == Success && device != 0 {
		return d.refuse(InvalidDevice, "device %d; there is 0", device)
	}
	return r
}

// DeviceName is cuDeviceGetName.
func (d *Driver) DeviceName(device int) (string, Result) {
	return "emulated GPU", d.about("cuDeviceGetName", device)
}

// UUID is cuDeviceGetUuid.
func (d *Driver) UUID(device int) ([16]byte, Result) {
	return [16]byte([]byte("emulated GPU\x00\x00\x00\x01")), d.about("cuDeviceGetUuid", device)
}

// TotalMem is cuDeviceTotalMem.
func (d *Driver) TotalMem(device int) (uint64, Result) {
	return uint64(d.o.Bytes), d.about("cuDeviceTotalMem", device)
}

// The attributes of a device that other parts of the package use, by the numbers of cuda.h.
const (
	attrThreads      = 1
	attrShared       = 8
	attrCapability   = 75 // the number after the point is 76
	attrSharedOptin  = 97
	attrMostProperty = 150 // above there are no attributes
)

// attributes are those of a device, by the numbers of cuda.h. An attribute that is not here is 0.
var attributes = map[int]int{
	attrThreads: 1024, 2: 1024, 3: 1024, 4: 64, // of a block, and its extents
	5: 1<<31 - 1, 6: 65535, 7: 65535, // extents of a grid
	attrShared: 48 << 10, 9: 64 << 10, 10: 32, // shared and constant memory, threads of a warp
	12: 65536, 13: 1_000_000, 14: 512, 16: 4, // registers of a block, clock, alignment, processors
	31: 1, 36: 1_000_000, 37: 4096, 38: 50 << 20, 39: 2048, // kernels at a time, memory clock, bus, cache, threads
	40: 2, 41: 1, 78: 1, // engines for copies, one space of addresses, priorities of streams
	81: 228 << 10, 82: 65536, attrSharedOptin: 227 << 10, // of a processor; shared memory that a function may ask for
	106: 32, 111: 1 << 10, // blocks of a processor, shared memory that the driver keeps
}

// Attribute is cuDeviceGetAttribute.
func (d *Driver) Attribute(attribute, device int) (int, Result) {
	r := d.about("cuDeviceGetAttribute", device, "attribute", attribute)
	if r == Success && (attribute < 1 || attribute >= attrMostProperty) {
		r = d.refuse(InvalidValue, "attribute %d of a device", attribute)
	}
	if i := attribute - attrCapability; i == 0 || i == 1 {
		return d.o.Capability[i], r
	}
	return attributes[attribute], r
}
