package models

// What is known of the terms, and no more. The notice inside the four whole photographs asks
// that they be neither manipulated nor used in commercial or political materials; the
// portrait's also asks for permission before any reproduction. Being the work of an officer
// of the United States government, they are not under copyright there (17 U.S.C. § 105).
// So tests and the demo use them on the machine that fetched them, and nothing ships them.
const whiteHouse = "official White House photograph by Pete Souza: US government work, public domain in the USA; " +
	"its embedded notice forbids manipulation and commercial or political use; fetched for tests, never shipped"

// Photographs lists pictures of three people, for tests and the demo.
func Photographs() []File {
	return append(whiteHousePhotographs(), File{
		Name:    "astronaut.png",
		Purpose: "Eileen Collins",
		Licence: "NASA photograph: public domain",
		Bytes:   791555,
		SHA256:  "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
		Archive: Archive{
			Package:  "scikit-image",
			Version:  "0.26.0",
			FileName: "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
			SHA256:   "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
			Bytes:    13711217,
		},
		Member: "skimage/data/astronaut.png",
	})
}

func whiteHousePhotographs() []File {
	archive := Archive{
		Package:  "face_recognition",
		Version:  "1.3.0",
		FileName: "face_recognition-1.3.0.tar.gz",
		SHA256:   "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
		Bytes:    3182249,
	}
	photograph := func(name, purpose string, bytes int64, sha256 string) File {
		return File{
			Name:    name,
			Purpose: purpose,
			Licence: whiteHouse,
			Bytes:   bytes,
			SHA256:  sha256,
			Archive: archive,
			Member:  "face_recognition-1.3.0/tests/test_images/" + name,
		}
	}
	return []File{
		photograph("obama.jpg", "Barack Obama, a portrait", 279922,
			"0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6"),
		photograph("obama2.jpg", "Barack Obama, speaking", 184455,
			"a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6"),
		photograph("obama3.jpg", "Barack Obama, standing", 595944,
			"76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3"),
		photograph("biden.jpg", "Joe Biden", 353723,
			"3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c"),
		photograph("obama_partial_face.jpg", "Barack Obama, a part of the portrait", 423060,
			"c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117"),
		photograph("obama_partial_face2.jpg", "Barack Obama, another part of the portrait", 478346,
			"9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028"),
	}
}
