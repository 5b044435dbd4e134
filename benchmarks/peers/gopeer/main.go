// Go's net/http with golang-jwt: ES256, no revocation, no database. Its login checks no password.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt"
)

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func main() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	parser := jwt.Parser{ValidMethods: []string{"ES256"}}
	public := func(*jwt.Token) (interface{}, error) { return &key.PublicKey, nil }

	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		claims := jwt.MapClaims{"sub": "bench", "exp": time.Now().Add(time.Hour).Unix()}
		token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
		if err != nil {
			log.Fatal(err)
		}
		answer(w, 200, map[string]string{"access_token": token})
	})
	http.HandleFunc("/resource", func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if _, err := parser.Parse(token, public); err != nil {
			answer(w, 401, map[string]string{"message": "Invalid token"})
			return
		}
		answer(w, 200, map[string]string{"message": "akses sukses"})
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
