package caisson

import "strings"

// What Engine.Host leaves empty: other people's files, and what belongs to the running system.
var hostEmpty = []string{"home", "media", "mnt", "root", "run", "tmp"}

// Those of hostEmpty that hold nothing of their own: what is mounted or linked there may be shown elsewhere.
var hostPassing = []string{"media", "mnt", "run", "tmp"}

// What the container gets its own of, or has no use for.
var hostSkipped = []string{"dev", "lost+found", "proc", "sys"}

// hostSecrets is what root can read on a host and a container should not: names below a directory, and why. It is the
// one list of them. A name that is a symbolic link hides what it leads to, and an absent name costs nothing.
var hostSecrets = []struct{ dir, names, why string }{
	{"/", "boot efi", "seeds of random numbers, passwords of boot loaders, kernels with their symbols"},
	{"/", "sysroot .snapshots swap timeshift", "the whole root again, past and present, or parts of memory"},
	{"/opt", ".snapshots", "the same of a part"},
	{"/srv", ".snapshots", "the same of a part"},
	{"/var", ".snapshots crash swap", "the same of a part, and memory of programs"},

	{"/etc", "shadow shadow- gshadow gshadow- opasswd security/opasswd sudoers sudoers.d", "password hashes, and who may become root"},
	{"/etc", "libnss-ldap.secret ldap.secret nslcd.conf pam_ldap.secret sssd sudo-ldap.conf", "passwords of directories of users"},
	{"/var/lib", "sss samba", "caches of those, and machine accounts"},
	{"/etc", "krb5.keytab krb5kdc security/keytab security/keytabs", "Kerberos keys"},
	{"/var", "kerberos lib/krb5kdc", "Kerberos keys"},
	{"/etc", "dropbear ssh tinyssh", "host keys of SSH"},
	{"/etc", "dirsrv httpd/alias letsencrypt pki/CA/private pki/akmods pki/consumer pki/entitlement pki/nssdb pki/pesign " +
		"pki/private pki/tls/private ssl/private", "private keys of TLS, of certificate authorities and for signing"},
	{"/usr", "lib/ssl/private local/etc/ssl/private", "private keys of TLS"},
	{"/var/lib", "acme caddy dkms/mok.key fwupd/pki letsencrypt shim-signed", "private keys of TLS and for signing"},
	{"/etc", "credstore credstore.encrypted crypttab cryptsetup-keys.d luks luks-keys zfs", "keys of disks and credentials of services"},
	{"/etc", "machine-id", "an id that must not be told; machine-id(5)"},
	{"/var/lib", "boltd dbus/machine-id private systemd tpm", "the same id, random seeds, keys of credentials and of devices"},

	{"/etc", "NetworkManager/system-connections hostapd iwd netplan sysconfig/network-scripts systemd/network wpa_supplicant " +
		"wpa_supplicant.conf", "passwords of wireless networks, keys of tunnels"},
	{"/etc", "ipsec.d ipsec.secrets openfortivpn openvpn ppp strongswan swanctl tinc vpnc wireguard", "keys of tunnels"},
	{"/var/lib", "NetworkManager bluetooth iwd openvpn tailscale tor zerotier-one", "keys of networks, tunnels and paired devices"},
	{"/etc", "bind/rndc.key chrony.keys chrony/chrony.keys ntp.keys ntp/keys rndc.key", "keys of name and time services"},
	{"/etc", "ceph cifs-credentials davfs2 drbd.d iscsi nvme samba/credentials smbcredentials", "passwords of storage"},
	{"/var/lib", "ceph glusterd iscsi", "passwords of storage, and what is stored"},

	{"/etc", "apt/auth.conf apt/auth.conf.d pacman.d/gnupg rhsm zypp/credentials.d", "credentials of package sources"},
	{"/etc", "cloudflared cloud boto.cfg", "credentials of clouds"},
	{"/var/lib", "amazon cloud google waagent", "credentials of clouds, and what the machine was given at its first boot"},
	{"/etc", "chef consul.d corosync munge nomad.d pacemaker puppet puppetlabs salt teleport.yaml vault.d", "keys of clusters and of what configures machines"},
	{"/var/lib", "consul nomad pacemaker pcsd puppet teleport vault", "keys of clusters and of what configures machines"},

	{"/etc", "cni containerd containers/auth.json crio docker incus k0s kubernetes rancher", "credentials of registries and clusters"},
	{"/var/lib", "buildkit caisson cni containerd containers crio docker etcd incus k0s kubelet libvirt lxc lxd machines nerdctl " +
		"portables rancher snapd", "images, containers and virtual machines, with their secrets and control sockets"},
	{"/var", "snap", "the same of snaps"},

	{"/etc", "dkimkeys dovecot/private exim4/passwd.client mail/authinfo msmtprc nullmailer opendkim postfix/sasl ssmtp " +
		"postfix/sasl_passwd postfix/sasl_passwd.db", "passwords and keys of mail"},
	{"/etc", "freeradius gitlab gitlab-runner grafana mysql/debian.cnf raddb redis", "passwords of servers"},
	{"/var/lib", "couchdb elasticsearch forgejo gitea gitlab-runner grafana influxdb jenkins ldap mariadb mongodb mysql pgsql " +
		"postgresql rabbitmq redis vaultwarden", "databases"},
	{"/var", "opt", "what other servers keep, which is seldom for others"},
	{"/var/lib", "gdm gdm3 lightdm sddm", "homes of display managers"},
	{"/var", "backups cache/debconf/passwords.dat log mail spool tmp", "copies of the above, answers to installers, logs, mail, print and cron jobs, other people's files"},
}

// secretPaths are the paths of hostSecrets.
func secretPaths() []string {
	var list []string
	for _, s := range hostSecrets {
		for _, name := range strings.Fields(s.names) {
			list = append(list, strings.TrimSuffix(s.dir, "/")+"/"+name)
		}
	}
	return list
}
