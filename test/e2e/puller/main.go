// Command puller does with a registry what podman and CRI-O do in a pull, by the library that both are made of.
//
//	puller [flags] pull REPOSITORY:TAG DIRECTORY   copies the image for linux/amd64 into an empty directory
//	puller [flags] sign REPOSITORY:TAG             signs it as cosign does, with a key pair that it makes first
//
// All waiting, retrying and choosing of mirrors is the library's. Ends with 1 when the image did not come whole.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/signature/sigstore"
	"go.podman.io/image/v5/types"
)

var (
	registries = flag.String("registries-conf", "", "the registries.conf, with the mirrors")
	lookaside  = flag.String("registries-d", "", "the registries.d folder: whether signatures are looked up")
	policyFile = flag.String("policy", "", "the policy.json; without one every image is accepted")
	authFile   = flag.String("auth-file", "/nonexistent", "the logins; none without")
	scratch    = flag.String("scratch", "", "a folder for what the library remembers of blobs")
	key        = flag.String("key", "", "where the key pair is kept, without .key and .pub")
	identity   = flag.String("identity", "", "the reference that a signature is for")
	limit      = flag.Duration("limit", 2*time.Minute, "how long it may take in all")
)

var passphrase = []byte("of a test")

func main() {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	if err := run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "pull":
		return pull(ctx, args[1], args[2])
	case len(args) == 2 && args[0] == "sign":
		return sign(ctx, args[1])
	}
	return errors.New("usage: puller [flags] (pull REPOSITORY:TAG DIRECTORY | sign REPOSITORY:TAG)")
}

func pull(ctx context.Context, name, folder string) error {
	target, err := directory.NewReference(folder)
	if err != nil {
		return err
	}
	return copied(ctx, name, target, &copy.Options{})
}

func sign(ctx context.Context, name string) error {
	pair, err := sigstore.GenerateKeyPair(passphrase)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*key+".key", pair.PrivateKey, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(*key+".pub", pair.PublicKey, 0o600); err != nil {
		return err
	}
	signed, err := reference.ParseNormalizedNamed(*identity)
	if err != nil {
		return err
	}
	target, err := docker.ParseReference("//" + name)
	if err != nil {
		return err
	}
	return copied(ctx, name, target, &copy.Options{
		SignBySigstorePrivateKeyFile:     *key + ".key",
		SignSigstorePrivateKeyPassphrase: passphrase,
		SignIdentity:                     signed,
		ImageListSelection:               copy.CopyAllImages,
	})
}

func copied(ctx context.Context, name string, target types.ImageReference, options *copy.Options) error {
	source, err := docker.ParseReference("//" + name)
	if err != nil {
		return err
	}
	policy, err := policyContext()
	if err != nil {
		return err
	}
	defer policy.Destroy()
	system := &types.SystemContext{
		SystemRegistriesConfPath:    *registries,
		SystemRegistriesConfDirPath: "/nonexistent",
		RegistriesDirPath:           *lookaside,
		AuthFilePath:                *authFile,
		BlobInfoCacheDir:            *scratch,
		BigFilesTemporaryDir:        *scratch,
		OSChoice:                    "linux",
		ArchitectureChoice:          "amd64",
	}
	options.SourceCtx, options.DestinationCtx = system, system
	_, err = copy.Image(ctx, policy, target, source, options)
	return err
}

func policyContext() (*signature.PolicyContext, error) {
	if *policyFile != "" {
		policy, err := signature.NewPolicyFromFile(*policyFile)
		if err != nil {
			return nil, err
		}
		return signature.NewPolicyContext(policy)
	}
	accept := signature.NewPRInsecureAcceptAnything()
	return signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{accept}})
}
