// Package enginetest is what every engine has to do, as a test suite. It is not
// a benchmark, and knows nothing of bytes from elsewhere: an engine may rely on
// its caller for those.
//
//	func TestEngine(t *testing.T) {
//		enginetest.Run(t, enginetest.Engine{New: newDoc, Load: loadDoc})
//	}
//
// The examples say what each method does. Two random tests follow: one writer
// against a model that is too simple to be wrong, and several writers that must
// agree once they have the same changes.
package enginetest
